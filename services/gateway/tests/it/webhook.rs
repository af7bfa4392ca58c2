use auth::{Subject, webhook};
use proto::device::v1::{EventOutcome, RecordVendorEventsRequest, RecordVendorEventsResponse};
use reqwest::Method;
use serde_json::{Value, json};

use crate::help::{Answered, Edge, NEXT_WEBHOOK_SECRET, WEBHOOK_SECRET, edge, keys};

const RECORD: &str = "DeviceService/RecordVendorEvents";

/// The body of PRD 9.6.2, and a field of the vendor's own.
fn event() -> Value {
    json!({
        "device_id": "dev_01",
        "event_time": "2026-01-10T08:01:02+08:00",
        "face_id": "face_123",
        "direction": "IN",
        "result": "PASS",
        "reason_code": "",
        "temperature": 36.5,
    })
}

fn play(edge: &Edge) {
    edge.fakes.on(RECORD, |_: RecordVendorEventsRequest| {
        let outcome = EventOutcome {
            outcome: "accepted".to_owned(),
            passage_id: "p".to_owned(),
            ..EventOutcome::default()
        };
        Ok(RecordVendorEventsResponse { outcomes: vec![outcome] })
    });
}

async fn deliver(edge: &Edge, body: &str, timestamp: i64, signature: &str) -> Answered {
    let request = edge
        .request(Method::POST, "/api/integration/access-control/events")
        .header("content-type", "application/json")
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature);
    edge.send(request.body(body.to_owned())).await
}

async fn signed(edge: &Edge, secret: &str, body: &str) -> Answered {
    let timestamp = edge.now().timestamp();
    let signature = webhook::sign(secret, "msg_1", timestamp, body.as_bytes()).unwrap();
    deliver(edge, body, timestamp, &signature).await
}

#[tokio::test]
async fn a_signed_event_goes_on_with_its_delivery_s_id() {
    let edge = edge().await;
    play(&edge);
    let mut event = event();
    event["seq"] = json!(17);
    let taken = signed(&edge, WEBHOOK_SECRET, &event.to_string()).await;
    assert_eq!(keys(taken.data()), ["outcome", "passage_id", "why"]);
    let asked = edge.fakes.only(RECORD);
    assert_eq!(asked.caller.subject, Subject::Service("gateway".to_owned()));
    assert_eq!(asked.caller.address.as_deref(), Some("127.0.0.1"));
    let message: RecordVendorEventsRequest = asked.message();
    assert_eq!((message.device_id.as_str(), message.delivery_id.as_str()), ("dev_01", "msg_1"));
    let reported = &message.events[0];
    assert_eq!(
        (reported.seq, reported.direction.as_str(), reported.result.as_str()),
        (17, "IN", "PASS")
    );
    assert_eq!(reported.event_time.unwrap().seconds, 1_768_003_262);
}

#[tokio::test]
async fn both_secrets_are_good_while_they_rotate_and_a_replay_is_the_same_delivery() {
    let edge = edge().await;
    play(&edge);
    let body = event().to_string();
    signed(&edge, WEBHOOK_SECRET, &body).await.data();
    signed(&edge, NEXT_WEBHOOK_SECRET, &body).await.data();
    let ids = edge.fakes.asked(RECORD).into_iter();
    let ids: Vec<String> =
        ids.map(|asked| asked.message::<RecordVendorEventsRequest>().delivery_id).collect();
    assert_eq!(ids, ["msg_1", "msg_1"]);
}

#[tokio::test]
async fn what_is_not_signed_by_the_vendor_is_401_and_goes_nowhere() {
    let edge = edge().await;
    let (body, now) = (event().to_string(), edge.now().timestamp());
    let good = webhook::sign(WEBHOOK_SECRET, "msg_1", now, body.as_bytes()).unwrap();
    let foreign = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let foreign = webhook::sign(foreign, "msg_1", now, body.as_bytes()).unwrap();
    let old = webhook::sign(WEBHOOK_SECRET, "msg_1", now - 360, body.as_bytes()).unwrap();
    for (body, timestamp, signature) in [
        (body.as_str(), now, "v1,"),
        (&body, now, "v1, v1,"),
        (&body, now, ""),
        (&body, now, foreign.as_str()),
        (&body, now + 1, &good),
        (&body, now - 360, &old),
        (&body.replace("PASS", "DENY"), now, &good),
    ] {
        let refused = deliver(&edge, body, timestamp, signature).await;
        assert_eq!((refused.status, refused.code()), (401, 40105), "{signature}");
    }
    assert!(edge.fakes.asked(RECORD).is_empty());
    let unsigned = edge.post("", "/api/integration/access-control/events", &event()).await;
    assert_eq!(unsigned.code(), 40105);
}

#[tokio::test]
async fn a_signed_event_that_is_none_names_its_bad_fields() {
    let edge = edge().await;
    let odd = json!({"device_id": 1, "event_time": "today", "direction": "IN", "extra": 1});
    let refused = signed(&edge, WEBHOOK_SECRET, &odd.to_string()).await;
    assert_eq!(
        (refused.code(), refused.fields().join(" ")),
        (40001, "device_id event_time result".to_owned())
    );
    assert_eq!(signed(&edge, WEBHOOK_SECRET, "{").await.code(), 40002);
}
