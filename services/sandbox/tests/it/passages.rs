#![expect(clippy::unwrap_used, reason = "a test fails where a call fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use service::Tasks;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::help::{TestSandbox, WEBHOOK_SECRET, grant, listen};

#[derive(Clone)]
struct Webhook {
    refuse: Arc<AtomicU32>,
    came: UnboundedSender<(HeaderMap, Bytes)>,
}

/// A gateway that refuses the first reports and takes the others.
async fn gateway(tasks: &Tasks, refuse: u32) -> (String, UnboundedReceiver<(HeaderMap, Bytes)>) {
    let (came, received) = unbounded_channel();
    let webhook = Webhook { refuse: Arc::new(AtomicU32::new(refuse)), came };
    let router = Router::new()
        .route("/api/integration/access-control/events", post(take))
        .with_state(webhook);
    (listen(tasks, router).await, received)
}

async fn take(State(webhook): State<Webhook>, headers: HeaderMap, body: Bytes) -> StatusCode {
    webhook.came.send((headers, body)).unwrap();
    let left =
        webhook.refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if left.is_ok() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

async fn next(received: &mut UnboundedReceiver<(HeaderMap, Bytes)>) -> (HeaderMap, Bytes) {
    timeout(Duration::from_secs(10), received.recv()).await.unwrap().unwrap()
}

async fn swipe(sandbox: &TestSandbox, direction: &str) -> Value {
    sandbox
        .post(
            "/_control/doors/acg_01/swipe",
            json!({"face_id": "face_0001", "direction": direction}),
        )
        .await
}

#[tokio::test]
async fn a_door_opens_inside_the_window_of_a_grant_it_holds_and_always_outward() {
    let sandbox = TestSandbox::start().await;
    let empty = swipe(&sandbox, "IN").await;
    assert_eq!((&empty["opened"], &empty["event"]["result"]), (&json!(false), &json!("DENY")));
    assert_eq!(empty["event"]["reason_code"], "", "the door does not say why");

    sandbox.push(grant("g1", 1, "acg_01")).await;
    let inside = swipe(&sandbox, "IN").await;
    assert_eq!((&inside["opened"], &inside["event"]["result"]), (&json!(true), &json!("PASS")));

    let end: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().unwrap();
    sandbox.site.set(end - TimeDelta::seconds(1), 0.0);
    assert_eq!(swipe(&sandbox, "IN").await["opened"], true);
    sandbox.site.set(end, 0.0);
    assert_eq!(swipe(&sandbox, "IN").await["opened"], false);
    assert_eq!(swipe(&sandbox, "OUT").await["opened"], true);
}

#[tokio::test]
async fn one_grant_taken_away_leaves_what_another_still_gives() {
    let sandbox = TestSandbox::start().await;
    sandbox.push(grant("g1", 1, "acg_01")).await;
    sandbox.push(grant("g2", 1, "acg_01")).await;
    sandbox.delete("/door/api/integration/access-control/grants/g1").await;
    assert_eq!(swipe(&sandbox, "IN").await["opened"], true);
    sandbox.delete("/door/api/integration/access-control/grants/g2").await;
    assert_eq!(swipe(&sandbox, "IN").await["opened"], false);
}

#[tokio::test]
async fn a_bad_door_refuses_despite_a_grant() {
    let sandbox = TestSandbox::start().await;
    sandbox.push(grant("g1", 1, "acg_01")).await;
    for (state, reason_code) in [("broken", "DEVICE_ERROR"), ("refuse_all", "")] {
        let door = sandbox
            .post("/_control/doors/acg_01", json!({"state": state, "device_id": "dev_01"}))
            .await;
        assert_eq!((&door["state"], &door["device_id"]), (&json!(state), &json!("dev_01")));
        let refused = swipe(&sandbox, "IN").await;
        assert_eq!(
            (&refused["opened"], &refused["event"]["reason_code"]),
            (&json!(false), &json!(reason_code))
        );
        assert_eq!(refused["event"]["device_id"], "dev_01");
        assert_eq!(swipe(&sandbox, "OUT").await["opened"], true);
    }
}

#[tokio::test]
async fn a_passage_is_reported_signed_until_it_is_taken_and_in_order() {
    let tasks = Tasks::new();
    let (url, mut received) = gateway(&tasks, 2).await;
    let sandbox = TestSandbox::reporting_to(&url).await;
    let first = swipe(&sandbox, "IN").await["event"].clone();
    let second = swipe(&sandbox, "OUT").await["event"].clone();
    assert!(second["seq"].as_u64() > first["seq"].as_u64());

    let mut ids = Vec::new();
    for _ in 0..3 {
        let (headers, body) = next(&mut received).await;
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let (id, timestamp, signature) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        auth::webhook::verify(
            &[WEBHOOK_SECRET],
            &id,
            &timestamp,
            &signature,
            &body,
            sandbox.system.now(),
        )
        .unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), first);
        ids.push(id);
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "one id on every attempt");

    let (headers, body) = next(&mut received).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), second);
    assert_ne!(headers["webhook-id"], ids[0]);
    assert_eq!(second.as_object().unwrap().keys().len(), 7);
    assert_eq!(first["event_time"], "2026-03-02T08:00:00.000+08:00");
    tasks.stop();
}

#[tokio::test]
async fn an_offline_door_decides_alone_and_reports_when_it_is_back() {
    let tasks = Tasks::new();
    let (url, mut received) = gateway(&tasks, 0).await;
    let sandbox = TestSandbox::reporting_to(&url).await;
    sandbox.push(grant("g1", 1, "acg_01")).await;
    sandbox.post("/_control/doors/acg_01", json!({"state": "offline"})).await;
    assert_eq!(swipe(&sandbox, "IN").await["opened"], true);
    assert_eq!(sandbox.get("/_control/doors/acg_01").await["unreported"], 1);

    sandbox.site.advance(TimeDelta::hours(3));
    sandbox.post("/_control/doors/acg_01", json!({"state": "ok"})).await;
    let (_, body) = next(&mut received).await;
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        event["event_time"], "2026-03-02T08:00:00.000+08:00",
        "when it happened, not when it was told"
    );
    tasks.stop();
}
