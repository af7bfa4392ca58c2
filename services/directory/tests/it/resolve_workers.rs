use proto::directory::v1 as pb;
use serde_json::{Value, json};
use service::Refusal;

use crate::outside::{id_no, name, person, photo_url};
use crate::world::{World, bad_fields, code, told};

async fn resolve(
    world: &World,
    service: &'static str,
    purpose: &str,
    worker_ids: &[String],
) -> Result<Vec<pb::ResolvedWorker>, Refusal> {
    let message =
        pb::ResolveWorkersRequest { worker_ids: worker_ids.to_vec(), purpose: purpose.to_owned() };
    let request = world.harness.shell.as_service(service, message);
    told(world.client.clone().resolve_workers(request).await).map(|answer| answer.workers)
}

#[tokio::test]
async fn a_service_is_told_what_its_purpose_needs_and_no_more() {
    let world = World::new().await;
    let (_, workers) = world.staffed(1..=2).await;
    world.bind("a", 1).await.unwrap();
    let known = pb::ResolvedWorker { worker_id: workers[0].clone(), ..Default::default() };
    let openid = "openid-of-a".to_owned();
    let notice = resolve(&world, "notification", "WECHAT_NOTICE", &workers).await.unwrap();
    assert_eq!(notice[0], pb::ResolvedWorker { openid: openid.clone(), ..known.clone() });
    assert_eq!(notice[1].openid, "", "nobody is bound to the second");
    let door = resolve(&world, "access-grant", "DOOR_SYNC", &workers).await.unwrap();
    let identified =
        pb::ResolvedWorker { name: name(1), id_no: id_no(1), photo_url: photo_url(1), ..known };
    let face_id = "face_0001".to_owned();
    assert_eq!(door[0], pb::ResolvedWorker { face_id, ..identified.clone() });
    let face = resolve(&world, "training", "FACE_VERIFICATION", &workers).await.unwrap();
    assert_eq!(face[0], pb::ResolvedWorker { openid, ..identified });
    world.stop().await;
}

#[tokio::test]
async fn a_purpose_is_of_one_service() {
    let world = World::new().await;
    let (_, workers) = world.staffed(1..=1).await;
    for (service, purpose) in [
        ("notification", "DOOR_SYNC"),
        ("notification", "FACE_VERIFICATION"),
        ("access-grant", "FACE_VERIFICATION"),
        ("training", "WECHAT_NOTICE"),
        ("report", "DOOR_SYNC"),
    ] {
        let refused = resolve(&world, service, purpose, &workers).await;
        assert_eq!(code(&refused), 40301, "{service} for {purpose}");
    }
    assert!(world.records("worker.resolve").await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn whoever_audits_a_site_finds_whose_data_were_opened_there() {
    let world = World::new().await;
    let (one, workers) = world.staffed(1..=3).await;
    let two = world.site("二号工地").await;
    world.outside.set_roster(&[person(3)]);
    world.sync(two).await.unwrap();
    resolve(&world, "access-grant", "DOOR_SYNC", &workers).await.unwrap();

    let records = world.records("worker.resolve").await;
    let found = |site: types::SiteId| {
        let record = records.iter().find(|record| record.site_id == site.to_string()).unwrap();
        assert_eq!(record.actor, "service:access-grant");
        serde_json::from_str::<Value>(&record.after).unwrap()
    };
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(
        found(one),
        json!({ "purpose": "DOOR_SYNC", "worker_ids": sorted(workers.clone()) })
    );
    assert_eq!(found(two), json!({ "purpose": "DOOR_SYNC", "worker_ids": [workers[2]] }));
    assert_eq!(records.len(), 2);

    // Who asks for somebody we do not know has asked.
    let nobody = [types::WorkerId::new().to_string()];
    assert_eq!(resolve(&world, "access-grant", "DOOR_SYNC", &nobody).await.unwrap(), []);
    let record = world.records("worker.resolve").await.pop().unwrap();
    assert_eq!((record.site_id.as_str(), record.actor.as_str()), ("", "service:access-grant"));
    world.stop().await;
}

#[tokio::test]
async fn nobody_but_a_service_resolves_and_only_for_a_purpose_we_know() {
    let world = World::new().await;
    let (site, worker_ids) = world.staffed(1..=1).await;
    let message = pb::ResolveWorkersRequest { worker_ids, purpose: "CURIOSITY".to_owned() };
    let request = world.harness.shell.as_service("notification", message.clone());
    assert_eq!(bad_fields(told(world.client.clone().resolve_workers(request).await)), ["purpose"]);
    let sysadmin = world.harness.sysadmin(&[site]);
    let refused = told(world.client.clone().resolve_workers(world.by(&sysadmin, message)).await);
    assert_eq!(code(&refused), 40301);
    assert!(world.records("worker.resolve").await.is_empty());
    world.stop().await;
}
