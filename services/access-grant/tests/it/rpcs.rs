use access_grant::{Api, Config, POLICY};
use auth::Caller;
use futures::future::join_all;
use proto::access_grant::v1 as pb;
use proto::access_grant::v1::access_grant_service_client::AccessGrantServiceClient;
use proto::access_grant::v1::access_grant_service_server::AccessGrantServiceServer;
use service::Refusal;
use service::config::Env;
use service::grpc::Transport;
use test_support::eventually;
use tonic::service::Routes;
use types::{AreaId, ContractorId, DeviceId, ErrorCode, SiteId, WorkerId};

use crate::world::{Job, World, at};

fn client(world: &World) -> AccessGrantServiceClient<Transport> {
    let routes = Routes::new(AccessGrantServiceServer::new(Api::new(world.app.clone())));
    service::grpc::serve(&world.harness.shell, "access-grant", routes, POLICY, None);
    AccessGrantServiceClient::new(world.harness.shell.peers.transport("access-grant"))
}

async fn world() -> (World, AreaId, Job, WorkerId) {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (job, worker) = world.granted("face-1", &[area]).await;
    (world, area, job, worker)
}

fn code<T>(answer: Result<tonic::Response<T>, tonic::Status>) -> Option<ErrorCode> {
    answer.err().map(|status| Refusal::from_status(&status).code)
}

fn decide(world: &World, area: AreaId, face: &str) -> pb::DecideRequest {
    pb::DecideRequest {
        device_id: "gate-1".to_owned(),
        site_id: world.site.to_string(),
        area_id: area.to_string(),
        face_id: face.to_owned(),
        direction: "IN".to_owned(),
        at: Some(proto::timestamp(at(-10_000))),
        controlled_both_ways: false,
    }
}

#[tokio::test]
async fn an_online_decision_goes_by_our_clock_and_is_kept() {
    let (world, area, _, _) = world().await;
    let door = Caller::device(DeviceId::parse("gate-1").unwrap(), world.site);
    let mut client = client(&world);
    let request = world.harness.request(&door, decide(&world, area, "face-1"));
    let allowed = client.decide(request).await.unwrap().into_inner();
    assert!(allowed.allow, "the door asks us, so it need not hold the grant: {allowed:?}");
    assert_eq!(allowed.until, Some(proto::timestamp(at(12 * 60))));
    let request = world.harness.request(&door, decide(&world, area, "face-unknown"));
    let refused = client.decide(request).await.unwrap().into_inner();
    assert_eq!((refused.allow, refused.reason_code.as_str()), (false, "NOT_IN_TICKET"));
    let kept: Vec<(bool, chrono::DateTime<chrono::Utc>)> =
        sqlx::query_as("SELECT allow, decided_at FROM access_grant.decisions ORDER BY decision_id")
            .fetch_all(&world.harness.database.admin())
            .await
            .unwrap();
    assert_eq!(kept, [(true, at(5)), (false, at(5))]);
}

#[tokio::test]
async fn a_door_decides_for_itself_and_its_site_only() {
    let (world, area, _, _) = world().await;
    let mut client = client(&world);
    let stranger = Caller::device(DeviceId::parse("gate-1").unwrap(), SiteId::new());
    let answer =
        client.decide(world.harness.request(&stranger, decide(&world, area, "face-1"))).await;
    assert_eq!(code(answer), Some(ErrorCode::NotFound));
    let other = Caller::device(DeviceId::parse("gate-2").unwrap(), world.site);
    let answer = client.decide(world.harness.request(&other, decide(&world, area, "face-1"))).await;
    assert_eq!(code(answer), Some(ErrorCode::NotFound));
    let admin = world.harness.sysadmin(&[world.site]);
    let answer = client.decide(world.harness.request(&admin, decide(&world, area, "face-1"))).await;
    assert_eq!(code(answer), Some(ErrorCode::PermissionDenied));
    let service = world.harness.shell.as_service("device", decide(&world, area, "face-1"));
    assert!(client.decide(service).await.unwrap().into_inner().allow);
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let (world, _, _, _) = world().await;
    let mut client = client(&world);
    let request = pb::DecideRequest { direction: "UP".to_owned(), ..pb::DecideRequest::default() };
    let status =
        client.decide(world.harness.shell.as_service("device", request)).await.unwrap_err();
    let refusal = Refusal::from_status(&status);
    let named: Vec<&str> = refusal.fields.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(named, ["device_id", "site_id", "area_id", "face_id", "direction"]);
}

#[tokio::test]
async fn a_list_shows_a_contractor_only_their_own() {
    let (world, _, job, _) = world().await;
    let mut client = client(&world);
    let theirs = world.harness.contractor_admin(world.site, world.contractor);
    let request = world.harness.request(&theirs, pb::ListGrantsRequest::default());
    let listed = client.list_grants(request).await.unwrap().into_inner();
    assert_eq!((listed.total, listed.grants[0].daily_ticket_id.clone()), (1, job.day.to_string()));
    assert_eq!(listed.grants[0].status, "PENDING_SYNC");
    let rival = world.harness.contractor_admin(world.site, ContractorId::new());
    let request = world.harness.request(&rival, pb::ListGrantsRequest::default());
    assert_eq!(client.list_grants(request).await.unwrap().into_inner().total, 0);
    let elsewhere = world.harness.sysadmin(&[SiteId::new()]);
    let message = pb::ListGrantsRequest {
        site_id: world.site.to_string(),
        ..pb::ListGrantsRequest::default()
    };
    let answer = client.list_grants(world.harness.request(&elsewhere, message)).await;
    assert_eq!(code(answer), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn a_resync_pushes_again_and_is_audited() {
    let (world, _, job, _) = world().await;
    world.push().await;
    let grant = world.grant_of(&job).await;
    let mut client = client(&world);
    let message = pb::ResyncGrantRequest { grant_id: grant.id.to_string() };
    let contractor = world.harness.contractor_admin(world.site, world.contractor);
    let answer = client.resync_grant(world.harness.request(&contractor, message.clone())).await;
    assert_eq!(code(answer), Some(ErrorCode::PermissionDenied));
    let admin = world.harness.sysadmin(&[world.site]);
    client.resync_grant(world.harness.request(&admin, message.clone())).await.unwrap();
    world.push().await;
    assert_eq!(world.door.pushes(), [grant.id, grant.id]);
    assert_eq!(world.door.held(), 1, "the same grant twice is one entry");
    assert_eq!(world.audited().await.len(), 1);
    let stranger = world.harness.sysadmin(&[SiteId::new()]);
    let answer = client.resync_grant(world.harness.request(&stranger, message)).await;
    assert_eq!(code(answer), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn fifty_resyncs_at_once_queue_one_push_and_are_one_command() {
    let (world, _, job, _) = world().await;
    world.push().await;
    let grant = world.grant_of(&job).await;
    let client = client(&world);
    let admin = world.harness.sysadmin(&[world.site]);
    let message = pb::ResyncGrantRequest { grant_id: grant.id.to_string() };
    let calls = (0..50).map(|_| async {
        client.clone().resync_grant(world.harness.request(&admin, message.clone())).await
    });
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap().into_inner().grant.unwrap().version, grant.version + 1);
    }
    assert_eq!(world.audited().await.len(), 1);
    world.push().await;
    assert_eq!(world.door.pushes(), [grant.id, grant.id]);
}

#[tokio::test]
async fn a_worker_sees_their_own_pass_and_nobody_elses() {
    let (world, area, job, worker) = world().await;
    let mut client = client(&world);
    let own = world.harness.worker(worker, world.site);
    let request = world.harness.request(&own, pb::GetPassRequest { worker_id: worker.to_string() });
    let lines = client.get_pass(request).await.unwrap().into_inner().lines;
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (lines[0].area_id.clone(), lines[0].daily_ticket_id.clone()),
        (area.to_string(), job.day.to_string())
    );
    assert_eq!((lines[0].allow, lines[0].reason_code.as_str()), (false, "SYNC_PENDING"));
    assert_eq!(lines[0].failing[0].mend, "wait_for_sync");
    world.push().await;
    let request = world.harness.request(&own, pb::GetPassRequest::default());
    assert!(client.get_pass(request).await.unwrap().into_inner().lines[0].allow);
    let other = world.harness.worker(WorkerId::new(), world.site);
    let request =
        world.harness.request(&other, pb::GetPassRequest { worker_id: worker.to_string() });
    assert_eq!(code(client.get_pass(request).await), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn the_outlook_names_who_would_be_refused_tomorrow_and_why() {
    let (world, area, _, worker) = world().await;
    let unbound = WorkerId::new();
    world.hear(&world.known(unbound, "face-2")).await;
    let mut tomorrow = world.job(&[worker, unbound], &[area]);
    (tomorrow.date, tomorrow.day_status, tomorrow.deadline_at) =
        ("2026-03-03", "PUBLISHED", at(25 * 60));
    world.publish(&tomorrow).await;
    let mut gone = world.job(&[worker], &[area]);
    gone.date = "2026-03-03";
    world.hear(&gone.cancelled()).await;

    let mut client = client(&world);
    // 06:00 tomorrow.
    let message = pb::GetOutlookRequest {
        site_id: world.site.to_string(),
        at: Some(proto::timestamp(at(22 * 60))),
    };
    let request = world.harness.shell.as_service("report", message.clone());
    let outlook = client.get_outlook(request).await.unwrap().into_inner();
    assert_eq!((outlook.expected, outlook.would_pass), (2, 0));
    let mut reasons: Vec<(String, String)> = outlook
        .refused
        .iter()
        .map(|line| (line.worker_id.clone(), line.reason_code.clone()))
        .collect();
    reasons.sort();
    let mut expected = vec![
        (worker.to_string(), "TRAINING_INCOMPLETE".to_owned()),
        (unbound.to_string(), "IDENTITY_NOT_BOUND".to_owned()),
    ];
    expected.sort();
    assert_eq!(reasons, expected);
    assert!(outlook.refused.iter().all(|line| line.daily_ticket_id == tomorrow.day.to_string()));
    let rival = world.harness.contractor_admin(world.site, ContractorId::new());
    let request = world.harness.request(&rival, message);
    assert_eq!(client.get_outlook(request).await.unwrap().into_inner().expected, 0);
}

#[tokio::test]
async fn an_explanation_is_for_ones_own_workers() {
    let (world, area, job, worker) = world().await;
    let mut client = client(&world);
    let message = pb::ExplainRequest {
        site_id: world.site.to_string(),
        worker_id: worker.to_string(),
        area_id: area.to_string(),
        at: None,
    };
    let theirs = world.harness.contractor_admin(world.site, world.contractor);
    let explained =
        client.explain(world.harness.request(&theirs, message.clone())).await.unwrap().into_inner();
    assert_eq!((explained.allow, explained.reason_code.as_str()), (false, "SYNC_PENDING"));
    assert_eq!(explained.because_daily_ticket_ids, [job.day.to_string()]);
    let rival = world.harness.contractor_admin(world.site, ContractorId::new());
    assert_eq!(
        code(client.explain(world.harness.request(&rival, message)).await),
        Some(ErrorCode::NotFound)
    );
}

#[tokio::test]
async fn the_service_starts_answers_and_stops() {
    let world = World::new().await;
    let pairs = [
        ("SITEPASS_DATABASE_URL", world.harness.database.url()),
        ("SITEPASS_DOOR_URL", "http://127.0.0.1:1".to_owned()),
    ];
    let mut env = Env::from_pairs(pairs.map(|(key, value)| (key.to_owned(), value)));
    let config = Config::read(&mut env).unwrap();
    env.finish().unwrap();
    access_grant::serve(config, world.harness.shell.clone()).await.unwrap();
    let transport = world.harness.shell.peers.transport("access-grant");
    let admin = world.harness.sysadmin(&[world.site]);
    let request = world.harness.request(&admin, pb::ListGrantsRequest::default());
    let listed = AccessGrantServiceClient::new(transport).list_grants(request).await.unwrap();
    assert_eq!(listed.into_inner().total, 0);
    eventually("the database to be seen", async || {
        world.harness.shell.health.missing().is_empty().then_some(())
    })
    .await;
    world.harness.stop().await;
}
