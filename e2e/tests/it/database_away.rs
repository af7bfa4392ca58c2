use fleet::{Admin, Api};
use servers::{Durability, PrivateNats, PrivatePostgres};
use test_support::{Backing, Installation, eventually, migrate_all};

#[tokio::test(flavor = "multi_thread")]
async fn with_the_database_away_calls_fail_in_order_and_work_again_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut postgres =
        PrivatePostgres::start(&folder.path().join("pg"), Durability::Durable, None).unwrap();
    let nats = PrivateNats::start(&folder.path().join("nats"), true, None).unwrap();
    migrate_all(&postgres.url("sitepass")).await;
    let url = postgres.url("sitepass").replacen("postgres@", "", 1);
    let backing =
        Backing { database_url: url, nats_url: nats.url(), stream_prefix: "sitepass".to_owned() };
    let installation = Installation::start(&backing, &["all"], None).await;
    let gateway = &installation.urls.gateway;
    let admin = Admin::sign_in(gateway, "admin", fleet::PASSWORD).await.unwrap();
    assert_eq!(admin.api().get("/api/admin/sites").await.unwrap().code, 0);

    postgres.kill().unwrap();
    let away = admin.api().get("/api/admin/sites").await.unwrap();
    assert_eq!(
        (away.http_status, away.code, away.message.as_str()),
        (503, 50302, "STORE_UNAVAILABLE")
    );
    let unknown = Api::new(gateway).unwrap().get("/api/nowhere").await.unwrap();
    assert_eq!(unknown.code, 40400, "what needs no database is answered as ever");

    postgres.restart().unwrap();
    eventually("the database to be used again", || async {
        (admin.api().get("/api/admin/sites").await.ok()?.code == 0).then_some(())
    })
    .await;
    installation.ready().await;
    installation.stop();
    nats.stop().unwrap();
    postgres.stop().unwrap();
}
