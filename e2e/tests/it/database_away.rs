use std::path::Path;

use e2e::{Backing, Installation};
use fleet::{Admin, Api};
use servers::{Durability, PrivateNats, PrivatePostgres};
use test_support::eventually;

pub(crate) async fn migrate(postgres: &PrivatePostgres) {
    let url = postgres.url("sitepass");
    service::migrate::create_database(&url).await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    for name in test_support::services() {
        let migrations = service::migrate::from_folder(&folder.join(&name)).await.unwrap();
        service::migrate::migrate(&url, &name, &migrations).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_database_away_calls_fail_in_order_and_work_again_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut postgres =
        PrivatePostgres::start(&folder.path().join("pg"), Durability::Durable, None).unwrap();
    let nats = PrivateNats::start(&folder.path().join("nats"), true, None).unwrap();
    migrate(&postgres).await;
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
