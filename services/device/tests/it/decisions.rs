use std::sync::{Arc, Mutex};

use proto::access_grant::v1::{DecideRequest, DecideResponse, Failing};
use proto::device::v1::RegisterDeviceRequest;
use serde_json::{Value, json};
use tonic::Status;

use crate::bed::{Bed, Door};
use crate::peers::provide;

async fn ask(door: &Door, direction: &str) -> Value {
    let body =
        json!({"face_id": "face_1", "direction": direction, "at": "2026-03-02T08:00:00+08:00"});
    door.post("decisions", &body).await.data()
}

#[tokio::test]
async fn access_grant_decides_and_its_reasons_reach_the_door() {
    let bed = Bed::new().await;
    let door = bed
        .door_with(RegisterDeviceRequest {
            direction: "none".to_owned(),
            ..bed.registration("dev_01")
        })
        .await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, until) = (asked.clone(), bed.now());
    provide(&bed.harness.shell, "access-grant", move |caller, request: DecideRequest| {
        seen.lock().unwrap().push((caller, request));
        async move {
            let failing = Failing {
                reason_code: "TRAINING_INCOMPLETE".to_owned(),
                detail: "no video finished".to_owned(),
                who: "WORKER".to_owned(),
                mend: "finish_training".to_owned(),
            };
            Ok(DecideResponse {
                allow: false,
                reason_code: failing.reason_code.clone(),
                detail: failing.detail.clone(),
                failing: vec![failing],
                until: Some(proto::timestamp(until)),
                decision_id: "d-1".to_owned(),
            })
        }
    });
    let answer = ask(&door, "OUT").await;
    let expected = json!({
        "allow": false,
        "reason_code": "TRAINING_INCOMPLETE",
        "detail": "no video finished",
        "failing": [{"reason_code": "TRAINING_INCOMPLETE", "detail": "no video finished", "who": "WORKER",
            "mend": "finish_training"}],
        "until": "2026-03-02T00:00:00.000Z",
        "decision_id": "d-1",
    });
    assert_eq!(answer, expected);
    let (caller, request) = asked.lock().unwrap().remove(0);
    assert_eq!(caller, "service:device");
    assert_eq!((request.device_id.as_str(), request.face_id.as_str()), ("dev_01", "face_1"));
    assert_eq!(
        (&request.site_id, &request.area_id),
        (&bed.site.to_string(), &bed.area.to_string())
    );
    assert_eq!(proto::instant(request.at.as_ref()), Some(bed.now()));
    assert!(request.controlled_both_ways && request.direction == "OUT");
    bed.harness.stop().await;
}

#[tokio::test]
async fn when_access_grant_is_away_only_the_way_out_opens_and_only_where_the_door_knows_it() {
    let bed = Bed::new().await;
    provide(&bed.harness.shell, "access-grant", |_, _: DecideRequest| async {
        Err::<DecideResponse, _>(Status::unavailable("away"))
    });
    for (id, direction, out) in
        [("dev_01", "both", true), ("dev_02", "in_only", true), ("dev_03", "none", false)]
    {
        let request =
            RegisterDeviceRequest { direction: direction.to_owned(), ..bed.registration(id) };
        let door = bed.door_with(request).await;
        let entering = ask(&door, "IN").await;
        assert_eq!(
            (&entering["allow"], &entering["reason_code"]),
            (&json!(false), &json!("DEVICE_ERROR"))
        );
        assert_eq!(entering["failing"][0]["who"], "GUARD");
        assert_eq!(ask(&door, "OUT").await["allow"], json!(out), "{direction}");
    }
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_decision_that_is_late_refuses() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    provide(&bed.harness.shell, "access-grant", |_, _: DecideRequest| {
        std::future::pending::<Result<DecideResponse, Status>>()
    });
    let answer = ask(&door, "IN").await;
    assert_eq!((&answer["allow"], &answer["reason_code"]), (&json!(false), &json!("DEVICE_ERROR")));
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_refused_with_every_bad_field() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let answer =
        door.post("decisions", &json!({"face_id": "a b", "direction": "in", "at": "now"})).await;
    assert_eq!(answer.code(), 40001);
    let fields = answer.body["data"]["fields"].as_array().unwrap();
    let named: Vec<&str> = fields.iter().map(|bad| bad["field"].as_str().unwrap()).collect();
    assert_eq!(named, ["face_id", "direction", "at"]);
    bed.harness.stop().await;
}
