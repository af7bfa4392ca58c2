use auth::Caller;
use futures::future::join_all;
use proto::notification::v1::RecordConsentRequest;
use service::Refusal;
use service::idempotency::METADATA;
use types::{ErrorCode, WorkerId};

use crate::world::{TEMPLATE, World};

fn ask(worker: &str, template: &str, accepted: u32) -> RecordConsentRequest {
    RecordConsentRequest { worker_id: worker.to_owned(), template: template.to_owned(), accepted }
}

#[tokio::test]
async fn consents_add_up_for_each_worker_and_template() {
    let world = World::new().await;
    let (worker, other) = (WorkerId::new(), WorkerId::new());
    let mut balances = Vec::new();
    for (worker, template, accepted) in [
        (worker, "TICKET_PUBLISHED", 1),
        (worker, TEMPLATE, 2),
        (worker, "another-template", 1),
        (other, TEMPLATE, 1),
        (worker, TEMPLATE, 0),
    ] {
        let caller = world.harness.worker(worker, world.site);
        let request = world.harness.request(&caller, ask(&worker.to_string(), template, accepted));
        balances.push(world.client().record_consent(request).await.unwrap().into_inner().balance);
    }
    assert_eq!(balances, [1, 3, 1, 1, 3]);
    assert_eq!(world.told("CommandAudited").await, 5);
}

/// Agrees to one message under a key; answers the balance.
async fn tap(world: &World, caller: &Caller) -> u32 {
    let mut request = world.harness.request(caller, ask("", TEMPLATE, 1));
    request.metadata_mut().insert(METADATA, "tap-1".parse().unwrap());
    world.client().record_consent(request).await.unwrap().into_inner().balance
}

#[tokio::test]
async fn a_call_repeated_with_its_key_adds_once() {
    let world = World::new().await;
    let worker = WorkerId::new();
    let caller = world.harness.worker(worker, world.site);
    for _ in 0..3 {
        assert_eq!(tap(&world, &caller).await, 1);
    }
    assert_eq!(world.balance(worker).await, 1);
}

#[tokio::test]
async fn the_same_key_fifty_times_at_once_adds_once() {
    let world = World::new().await;
    let worker = WorkerId::new();
    let caller = world.harness.worker(worker, world.site);
    let balances = join_all((0..50).map(|_| tap(&world, &caller))).await;
    assert_eq!(balances, [1; 50]);
    assert_eq!(world.told("CommandAudited").await, 1);
    assert_eq!(world.balance(worker).await, 1);
}

#[tokio::test]
async fn workers_consent_for_themselves_and_in_measure() {
    let world = World::new().await;
    let caller = world.harness.worker(WorkerId::new(), world.site);
    let refused = async |caller, message| {
        let request = world.harness.request(caller, message);
        let status = world.client().record_consent(request).await.unwrap_err();
        Refusal::from_status(&status)
    };
    let other = ask(&WorkerId::new().to_string(), TEMPLATE, 1);
    assert_eq!(refused(&caller, other).await.code, ErrorCode::NotFound);
    let admin = world.harness.sysadmin(&[world.site]);
    assert_eq!(refused(&admin, ask("", TEMPLATE, 1)).await.code, ErrorCode::PermissionDenied);
    let bad = refused(&caller, ask("x", "", 11)).await;
    let named: Vec<&str> = bad.fields.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(named, ["worker_id", "template", "accepted"]);
}
