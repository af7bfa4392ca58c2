use auth::Caller;
use proto::directory::v1 as pb;
use serde_json::json;

use crate::outside::{id_no, name, phone};
use crate::world::{World, bad_fields, code, told};

#[tokio::test]
async fn a_service_gets_what_its_job_needs_and_leaves_a_record_without_it() {
    let world = World::new().await;
    let (_, workers) = world.staffed(1..=2).await;
    world.bind("a", 1).await.unwrap();
    let message = pb::ResolveWorkersRequest {
        worker_ids: workers.clone(),
        purpose: "WECHAT_NOTICE".to_owned(),
    };
    let caller = Caller::service("notification");
    let request = world.harness.shell.as_service("notification", message);
    let resolved = told(world.client.clone().resolve_workers(request).await).unwrap().workers;
    assert_eq!(resolved[0].worker_id, workers[0]);
    assert_eq!((&resolved[0].name, &resolved[0].id_no), (&name(1), &id_no(1)));
    assert_eq!(resolved[0].phone, format!("+86{}", phone(1)));
    assert_eq!(
        (resolved[0].openid.as_str(), resolved[0].face_id.as_str()),
        ("openid-of-a", "face_0001")
    );
    assert_eq!(resolved[1].openid, "", "nobody is bound to the second");

    let records = world.records("worker.resolve").await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].actor, caller.subject.to_string());
    let after: serde_json::Value = serde_json::from_str(&records[0].after).unwrap();
    assert_eq!(after, json!({ "purpose": "WECHAT_NOTICE", "count": 2 }));
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
