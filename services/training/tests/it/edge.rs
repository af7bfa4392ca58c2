use proto::training::v1::{ListVideosRequest, ReportProgressRequest};
use training::grpc::POLICY;
use types::ErrorCode;

use crate::world::{World, code};

#[test]
fn every_call_of_the_contract_has_its_policy_and_no_other() {
    let contract = include_str!("../../../../proto/sitepass/training/v1/training.proto");
    let mut calls: Vec<String> = contract
        .lines()
        .filter_map(|line| line.trim().strip_prefix("rpc "))
        .filter_map(|call| {
            Some(format!("/sitepass.training.v1.TrainingService/{}", call.split_once('(')?.0))
        })
        .collect();
    let mut covered: Vec<String> = POLICY.iter().map(|(path, _)| (*path).to_owned()).collect();
    calls.sort();
    covered.sort();
    assert_eq!(calls, covered);
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
async fn a_row_of_another_site_does_not_come_back() {
    let world = World::new().await;
    world.add_video().await;
    for scope in [service::Scope::Site(types::SiteId::new()), service::Scope::Sites(vec![])] {
        let mut tx = world.store.begin(scope).await.unwrap();
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM training.videos")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(seen, 0);
    }
}
