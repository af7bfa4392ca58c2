use auth::Caller;
use proto::directory::v1 as pb;
use service::Refusal;
use types::WorkerId;

use crate::outside::person;
use crate::world::{World, bad_fields, code, told};

async fn unbind(world: &World, caller: &Caller, worker: &str, reason: &str) -> Result<(), Refusal> {
    let message =
        pb::UnbindWorkerRequest { worker_id: worker.to_owned(), reason: reason.to_owned() };
    told(world.client.clone().unbind_worker(world.by(caller, message)).await).map(|_| ())
}

#[tokio::test]
async fn an_administrator_ends_a_binding_once_with_a_reason() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=1).await;
    world.bind("a", 1).await.unwrap();
    assert_eq!(bad_fields(unbind(&world, &world.sysadmin, &workers[0], " ").await), ["reason"]);
    for _ in 0..2 {
        unbind(&world, &world.sysadmin, &workers[0], "lost phone").await.unwrap();
    }
    let ended = world.facts::<pb::WorkerUnbound>().await;
    assert_eq!(ended.len(), 1);
    let worker = ended[0].worker.clone().unwrap();
    assert_eq!((ended[0].cause.as_str(), worker.bound, worker.version), ("BY_ADMIN", false, 3));
    let records = world.records("worker.unbind").await;
    assert_eq!((records.len(), records[0].reason.as_str()), (1, "lost phone"));
    assert_eq!(records[0].site_id, site.to_string());
    assert!(world.bind("a", 1).await.is_ok(), "they may bind again");
    world.stop().await;
}

#[tokio::test]
async fn fifty_who_unbind_a_worker_at_once_end_one_binding() {
    let world = World::new().await;
    let (_, workers) = world.staffed(1..=1).await;
    world.bind("a", 1).await.unwrap();
    let calls = (0..50).map(|_| unbind(&world, &world.sysadmin, &workers[0], "lost phone"));
    for answer in futures::future::join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(world.facts::<pb::WorkerUnbound>().await.len(), 1);
    assert_eq!(world.records("worker.unbind").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn whoever_audits_a_site_of_theirs_finds_that_they_were_unbound() {
    let world = World::new().await;
    let (one, workers) = world.staffed(1..=2).await;
    let two = world.site("二号工地").await;
    world.outside.set_roster(&[person(1)]);
    world.sync(two).await.unwrap();
    world.bind("a", 1).await.unwrap();
    unbind(&world, &world.sysadmin, &workers[0], "lost phone").await.unwrap();
    let sites = async |action: &str| {
        let mut sites: Vec<String> =
            world.records(action).await.into_iter().map(|record| record.site_id).collect();
        sites.sort();
        sites
    };
    let mut both = [one.to_string(), two.to_string()];
    both.sort();
    assert_eq!(
        (sites("worker.bind").await, sites("worker.unbind").await),
        (both.to_vec(), both.to_vec())
    );

    // Who has left is found where they were last.
    world.bind("a", 2).await.unwrap();
    world.outside.set_roster(&[person(1)]);
    world.sync(one).await.unwrap();
    unbind(&world, &world.sysadmin, &workers[1], "left").await.unwrap();
    let left = world.records("worker.unbind").await.pop().unwrap();
    assert_eq!((left.site_id, left.reason.as_str()), (one.to_string(), "left"));
    world.stop().await;
}

#[tokio::test]
async fn who_is_not_there_is_not_found_and_who_may_not_is_refused() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=1).await;
    let contractor = world.contractor("示例二建", &[site]).await;
    let nobody = WorkerId::new().to_string();
    assert_eq!(code(&unbind(&world, &world.sysadmin, &nobody, "lost phone").await), 40400);
    let caller = world.harness.contractor_admin(site, contractor);
    assert_eq!(code(&unbind(&world, &caller, &workers[0], "lost phone").await), 40301);
    world.stop().await;
}
