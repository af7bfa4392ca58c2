use proto::training::v1::training_service_client::TrainingServiceClient;
use proto::training::v1::{ListVideosRequest, ReportProgressRequest};
use service::config::Env;
use training::grpc::POLICY;
use types::{ErrorCode, SiteId};

use crate::world::{World, code};

#[test]
fn every_call_of_the_contract_has_its_policy_and_no_other() {
    let covered: Vec<&str> = POLICY.iter().map(|(path, _)| *path).collect();
    assert_eq!(covered, proto::methods("training"));
}

#[tokio::test]
async fn a_call_without_a_caller_and_one_of_the_wrong_kind_are_refused() {
    let world = World::new().await;
    let message = ReportProgressRequest::default();
    let unsigned = world.client().report_progress(tonic::Request::new(message.clone())).await;
    assert_eq!(code(unsigned), ErrorCode::NotSignedIn);
    let admin = world.client().report_progress(world.request(&world.admin(), message)).await;
    assert_eq!(code(admin), ErrorCode::PermissionDenied);
    let worker = world.harness.worker(world.worker, world.site);
    let videos = ListVideosRequest { site_id: world.site.to_string() };
    assert_eq!(
        code(world.client().list_videos(world.request(&worker, videos)).await),
        ErrorCode::PermissionDenied
    );
}

#[tokio::test]
async fn the_whole_service_starts_from_its_configuration() {
    let harness = test_support::Harness::new().await;
    let folder = tempfile::tempdir().unwrap();
    let mut env = Env::from_pairs(
        [
            ("SITEPASS_DATABASE_URL", harness.database.url().as_str()),
            ("SITEPASS_BLOB_DIR", folder.path().to_str().unwrap()),
            ("SITEPASS_BLOB_SECRET", "thirty-two bytes or more of secret"),
            ("SITEPASS_FACE_URL", "http://127.0.0.1:9/face"),
            ("SITEPASS_WECHAT_APPID", "wx0000000000000000"),
            ("SITEPASS_WECHAT_SECRET", "secret"),
            ("SITEPASS_TRAINING_GRPC_LISTEN", "127.0.0.1:0"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    let config = training::Config::read(&mut env).unwrap();
    env.finish().unwrap();
    training::serve(config, harness.shell.clone()).await.unwrap();
    let site = SiteId::new();
    let mut client = TrainingServiceClient::new(harness.shell.peers.transport("training"));
    let listed = ListVideosRequest { site_id: site.to_string() };
    let listed =
        client.list_videos(harness.request(&harness.sysadmin(&[site]), listed)).await.unwrap();
    assert!(listed.into_inner().videos.is_empty());
    harness.stop().await;
}

#[test]
fn every_missing_setting_is_named_at_once() {
    let mut env = Env::from_pairs([]);
    assert!(training::Config::read(&mut env).is_err());
    let missing: Vec<String> =
        env.finish().unwrap_err().into_iter().map(|mistake| mistake.key).collect();
    assert_eq!(
        missing,
        [
            "SITEPASS_BLOB_SECRET",
            "SITEPASS_DATABASE_URL",
            "SITEPASS_FACE_URL",
            "SITEPASS_WECHAT_APPID",
            "SITEPASS_WECHAT_SECRET"
        ]
    );
}

#[tokio::test]
async fn a_row_of_another_site_does_not_come_back() {
    let world = World::new().await;
    world.add_video().await;
    for scope in [service::Scope::Site(SiteId::new()), service::Scope::Sites(vec![])] {
        let mut tx = world.store.begin(scope).await.unwrap();
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM training.videos")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(seen, 0);
    }
}
