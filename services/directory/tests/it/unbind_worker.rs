use auth::Caller;
use proto::directory::v1 as pb;
use service::Refusal;
use types::WorkerId;

use crate::world::{World, bad_fields, code, told};

async fn unbind(world: &World, caller: &Caller, worker: &str, reason: &str) -> Result<(), Refusal> {
    let message =
        pb::UnbindWorkerRequest { worker_id: worker.to_owned(), reason: reason.to_owned() };
    told(world.client.clone().unbind_worker(world.by(caller, message)).await).map(|_| ())
}

#[tokio::test]
async fn an_administrator_ends_a_binding_once_with_a_reason() {
    let world = World::new().await;
    let (_, workers) = world.staffed(1..=1).await;
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
    assert!(world.bind("a", 1).await.is_ok(), "they may bind again");
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
