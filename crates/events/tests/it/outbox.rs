use async_nats::HeaderMap;
use auth::Caller;
use events::AuditFact;
use events::testing::outbox;
use prost::Message;
use proto::common::v1::CommandAudited;
use proto::training::v1::TrainingStarted;
use serde_json::json;
use service::{Scope, StoreError};
use types::{AccountId, Role};

use crate::world::{World, at};

#[tokio::test]
async fn a_fact_goes_with_its_transaction() {
    let world = World::new().await;
    for commits in [false, true] {
        let mut tx = world.writer.begin(Scope::Site(world.site)).await.unwrap();
        events::enqueue(&mut tx, &world.fact(usize::from(commits), 1), at()).await.unwrap();
        if commits {
            tx.commit().await.unwrap();
        }
    }
    let facts = outbox(&world.writer).await;
    assert_eq!(facts.len(), 1);
    assert_eq!(facts[0].0, "TrainingStarted");
    assert_eq!(TrainingStarted::decode(facts[0].1.as_slice()).unwrap(), world.fact(1, 1));
}

#[tokio::test]
async fn an_event_the_broker_would_refuse_is_refused_with_its_command() {
    let world = World::new().await;
    let mut tx = world.writer.begin(Scope::Site(world.site)).await.unwrap();
    let large =
        TrainingStarted { session_id: "x".repeat(events::MAX_EVENT_BYTES), ..world.fact(1, 1) };
    let refused = events::enqueue(&mut tx, &large, at()).await;
    assert!(matches!(refused, Err(StoreError::Database(_))), "{refused:?}");
}

#[tokio::test]
async fn a_command_leaves_its_record() {
    let world = World::new().await;
    let account = AccountId::new();
    let mut caller = Caller::account(account, Role::SysAdmin, vec![world.site], None);
    caller.on_behalf_request = Some("request-1".to_owned());
    let mut tx = world.writer.begin(Scope::Site(world.site)).await.unwrap();
    let fact = AuditFact {
        context: "training",
        caller: &caller,
        action: "video.add",
        target_type: "video",
        target_id: "video-1".to_owned(),
        site: Some(world.site),
        before: None,
        after: Some(json!({"title": "ladders"})),
        reason: Some("new rules"),
        at: at(),
    };
    events::audit(&mut tx, fact).await.unwrap();
    tx.commit().await.unwrap();
    let facts = outbox(&world.writer).await;
    assert_eq!(facts[0].0, "CommandAudited");
    let audited = CommandAudited::decode(facts[0].1.as_slice()).unwrap();
    assert_eq!(audited.actor, format!("account:{account}"));
    assert_eq!((audited.role.as_str(), audited.action.as_str()), ("SysAdmin", "video.add"));
    assert_eq!((audited.before.as_str(), audited.after.as_str()), ("", r#"{"title":"ladders"}"#));
    assert_eq!((audited.reason.as_str(), audited.request_id.as_str()), ("new rules", "request-1"));
}

#[tokio::test]
async fn a_message_carries_its_id_its_trace_and_nothing_of_its_content_in_its_headers() {
    let mut world = World::new().await;
    world.publish(0..1).await;
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    sqlx::query("UPDATE training.outbox SET traceparent = $1")
        .bind(traceparent)
        .execute(&world.database.admin())
        .await
        .unwrap();
    world.relay().await;
    world.until_sent().await;
    let stream = world.jetstream().get_stream(world.stream_name()).await.unwrap();
    let message = stream.get_raw_message(1).await.unwrap();
    let header =
        |headers: &HeaderMap, name: &str| headers.get(name).map(|value| value.as_str().to_owned());
    assert_eq!(header(&message.headers, "traceparent").as_deref(), Some(traceparent));
    assert_eq!(header(&message.headers, "Nats-Msg-Id"), world.written().await.first().cloned());
    let names: Vec<&str> = message.headers.iter().map(|(name, _)| name.as_ref()).collect();
    assert!(
        names.iter().all(|name| name.starts_with("Nats-") || *name == "traceparent"),
        "{names:?}"
    );
    let subject = format!("{}.training.v1.TrainingStarted.{}", world.prefix, world.site);
    assert_eq!(message.subject.as_str(), subject);
    world.shut_down().await;
}
