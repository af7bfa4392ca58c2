#![expect(clippy::unwrap_used, reason = "a helper beside the tests")]

use auth::Caller;
use proto::training::v1::{ListRecordsRequest, Record};
use types::{ContractorId, ErrorCode, SiteId, WorkerId};

use crate::phone::Phone;
use crate::world::{World, code, day};

async fn records(world: &World, caller: &Caller, message: ListRecordsRequest) -> Vec<Record> {
    world.client().list_records(world.request(caller, message)).await.unwrap().into_inner().records
}

#[tokio::test]
async fn a_record_keeps_what_was_watched_and_how_it_ended() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    Phone::start(&world, day, video).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    phone.finish().await.unwrap();
    let records = records(&world, &phone.caller, ListRecordsRequest::default()).await;
    assert_eq!(records.len(), 2);
    let (completed, replaced) = (&records[0], &records[1]);
    assert_eq!(
        (completed.result.as_str(), completed.valid_watch_sec, completed.checks_passed),
        ("COMPLETED", 40, 1)
    );
    assert_eq!(
        (replaced.result.as_str(), replaced.reason.as_str(), replaced.valid_watch_sec),
        ("FAILED", "REPLACED", 0)
    );
    assert_eq!(completed.video_title, "班前安全教育");
}

#[tokio::test]
async fn records_are_narrowed_by_the_dates_trained_for() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    phone.finish().await.unwrap();
    for (from, to, found) in [
        ("2026-03-02", "2026-03-02", 1),
        ("", "2026-03-01", 0),
        ("2026-03-03", "", 0),
        ("2026-03-01", "2026-03-31", 1),
    ] {
        let message = ListRecordsRequest {
            date_from: from.to_owned(),
            date_to: to.to_owned(),
            ..Default::default()
        };
        assert_eq!(records(&world, &phone.caller, message).await.len(), found, "{from}..{to}");
    }
    let bad = ListRecordsRequest { date_from: "2026-02-30".to_owned(), ..Default::default() };
    assert_eq!(
        code(world.client().list_records(world.request(&phone.caller, bad)).await),
        ErrorCode::ValidationFailed
    );
}

#[tokio::test]
async fn each_sees_their_own_records_and_no_others() {
    let world = World::new().await;
    let (_, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    phone.finish().await.unwrap();
    let all = ListRecordsRequest::default();
    assert_eq!(records(&world, &world.admin(), all.clone()).await.len(), 1);
    let theirs = world.harness.contractor_admin(world.site, world.contractor);
    assert_eq!(records(&world, &theirs, all.clone()).await.len(), 1);
    let competitor = world.harness.contractor_admin(world.site, ContractorId::new());
    assert_eq!(records(&world, &competitor, all.clone()).await.len(), 0);
    let elsewhere = world.harness.sysadmin(&[SiteId::new()]);
    assert_eq!(records(&world, &elsewhere, all.clone()).await.len(), 0);
    let colleague = world.harness.worker(WorkerId::new(), world.site);
    assert_eq!(records(&world, &colleague, all).await.len(), 0);
    let asked = ListRecordsRequest { worker_id: world.worker.to_string(), ..Default::default() };
    assert_eq!(
        code(world.client().list_records(world.request(&colleague, asked)).await),
        ErrorCode::NotFound
    );
}

#[tokio::test]
async fn a_record_is_never_changed() {
    let world = World::new().await;
    let mut conn = world.store.begin(service::Scope::Site(world.site)).await.unwrap();
    let refused =
        sqlx::query("UPDATE training.records SET result = 'COMPLETED'").execute(&mut *conn).await;
    let refused = refused.unwrap_err();
    let code = refused.as_database_error().and_then(sqlx::error::DatabaseError::code);
    assert_eq!(code.as_deref(), Some("42501"));
}
