use chrono::TimeDelta;
use serde_json::json;

use crate::bed::{Answer, Bed, Door, Headers};

const PATH: &str = "/api/device/v1/heartbeat";
const BODY: &str = r#"{"firmware":"1","spool":0}"#;

async fn send(door: &Door, headers: &Headers) -> Answer {
    door.send("POST", PATH, headers, BODY.to_owned()).await
}

/// Refused as everything is that is not genuine: nobody learns why.
#[track_caller]
fn assert_not_authentic(answer: &Answer) {
    assert_eq!((answer.status, answer.code()), (401, 40105), "{}", answer.body);
    assert_eq!(answer.body["message"], "SIGNATURE_INVALID");
    assert_eq!(answer.body["data"], json!({"detail": "请求签名无效"}));
}

#[tokio::test]
async fn a_genuine_request_is_let_in_and_each_altered_part_is_not() {
    let bed = Bed::new().await;
    let (door, other) = (bed.door("dev_01").await, bed.door("dev_02").await);
    let good = door.sign("POST", PATH, BODY);
    let altered: [fn(&mut Headers); 6] = [
        |headers| headers.device = "dev_02".to_owned(),
        |headers| headers.device = "dev_99".to_owned(),
        |headers| headers.device = String::new(),
        |headers| headers.nonce.push('1'),
        |headers| headers.timestamp = (headers.timestamp.parse::<i64>().unwrap() + 1).to_string(),
        |headers| headers.signature = String::new(),
    ];
    for alter in altered {
        let mut headers = good.clone();
        alter(&mut headers);
        assert_not_authentic(&send(&door, &headers).await);
    }
    let body = BODY.replace('1', "2");
    assert_not_authentic(&door.send("POST", PATH, &good, body).await);
    assert_not_authentic(&door.send("POST", &format!("{PATH}?x=1"), &good, BODY.to_owned()).await);
    let foreign = Headers { device: door.id.clone(), ..other.sign("POST", PATH, BODY) };
    assert_not_authentic(&send(&door, &foreign).await);
    // None of them used the nonce up.
    assert_eq!(send(&door, &good).await.code(), 0);
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_request_is_fresh_for_five_minutes_of_system_time_whatever_the_site_s_clock_says() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    bed.harness.shell.clock.advance(TimeDelta::days(30));
    let now = bed.harness.shell.system.now().timestamp();
    for (age, code) in [(300, 0), (-300, 0), (301, 40105), (-301, 40105)] {
        let headers =
            door.sign_with(&(now - age).to_string(), &format!("n{age}"), "POST", PATH, BODY);
        assert_eq!(send(&door, &headers).await.code(), code, "{age} s");
    }
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_nonce_works_once_on_a_call_that_changes_something() {
    let bed = Bed::new().await;
    let (door, other) = (bed.door("dev_01").await, bed.door("dev_02").await);
    let now = bed.harness.shell.system.now().timestamp();
    let headers = door.sign_with(&now.to_string(), "once", "POST", PATH, BODY);
    assert_eq!(send(&door, &headers).await.code(), 0);
    assert_not_authentic(&send(&door, &headers).await);
    // Signed anew it is the same nonce all the same; another door's is another one.
    let later = door.sign_with(&(now + 1).to_string(), "once", "POST", PATH, BODY);
    assert_not_authentic(&send(&door, &later).await);
    let theirs = other.sign_with(&now.to_string(), "once", "POST", PATH, BODY);
    assert_eq!(send(&other, &theirs).await.code(), 0);
    bed.harness.stop().await;
}

#[tokio::test]
async fn of_many_replays_at_once_one_gets_in() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let headers = door.sign("POST", PATH, BODY);
    let sends = (0..8).map(|_| send(&door, &headers));
    let codes = futures::future::join_all(sends).await;
    let let_in = codes.iter().filter(|answer| answer.code() == 0).count();
    assert_eq!(let_in, 1);
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_reading_call_may_be_repeated() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let path = "/api/device/v1/permissions?cursor=gone";
    let headers = door.sign("GET", path, "");
    for _ in 0..2 {
        assert_eq!(door.send("GET", path, &headers, String::new()).await.code(), 41001);
    }
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_used_nonce_is_remembered_for_as_long_as_its_request_is_fresh() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let ahead = bed.harness.shell.system.now().timestamp() + 300;
    let headers = door.sign_with(&ahead.to_string(), "once", "POST", PATH, BODY);
    assert_eq!(send(&door, &headers).await.code(), 0);
    bed.harness.shell.system.advance(TimeDelta::seconds(599));
    bed.harness.shell.clock.advance(TimeDelta::minutes(11));
    assert_not_authentic(&send(&door, &headers).await);
    bed.harness.shell.system.advance(TimeDelta::seconds(2));
    assert_not_authentic(&send(&door, &headers).await);
    // What is forgotten is of no use any more: the number is free for a new request.
    let now = bed.harness.shell.system.now().timestamp();
    let again = door.sign_with(&now.to_string(), "once", "POST", PATH, BODY);
    assert_eq!(send(&door, &again).await.code(), 0);
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_revoked_device_is_as_unknown_as_one_that_never_was() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    sqlx::query("UPDATE device.devices SET status = 'INACTIVE'")
        .execute(&bed.harness.database.admin())
        .await
        .unwrap();
    assert_not_authentic(&send(&door, &door.sign("POST", PATH, BODY)).await);
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_secret_moved_to_another_device_s_row_opens_nothing() {
    let bed = Bed::new().await;
    let (door, _) = (bed.door("dev_01").await, bed.door("dev_02").await);
    sqlx::query(
        "UPDATE device.devices SET secret = (SELECT secret FROM device.devices WHERE device_id = 'dev_02')
         WHERE device_id = 'dev_01'",
    )
    .execute(&bed.harness.database.admin())
    .await
    .unwrap();
    assert_eq!(send(&door, &door.sign("POST", PATH, BODY)).await.code(), 50000);
    bed.harness.stop().await;
}

#[tokio::test]
async fn whatever_goes_wrong_is_said_in_the_envelope_and_the_sender_s_trace_goes_on() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let unknown = door.get("nothing").await;
    assert_eq!((unknown.status, unknown.code()), (404, 40400));
    let headers = door.sign("GET", PATH, "");
    let method = door.send("GET", PATH, &headers, String::new()).await;
    assert_eq!((method.status, method.code()), (405, 40500));
    for (body, code) in [("{", 40002), ("", 40002), ("[]", 40001), (r#"{"spool":"many"}"#, 40001)] {
        let headers = door.sign("POST", PATH, body);
        assert_eq!(door.send("POST", PATH, &headers, body.to_owned()).await.code(), code, "{body}");
    }
    let large = format!(r#"{{"firmware":"{}"}}"#, "x".repeat(1024 * 1024));
    let headers = door.sign("POST", PATH, &large);
    let refused = door.send("POST", PATH, &headers, large).await;
    assert_eq!((refused.status, refused.code()), (413, 41301));
    let bad = door
        .post("heartbeat", &json!({"time": "noon", "firmware": "x".repeat(65), "unknown": 1}))
        .await;
    assert_eq!(bad.code(), 40001);
    let fields: Vec<&str> = bad.body["data"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bad| bad["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["firmware", "time"]);
    assert!(bad.traceparent.is_none_or(|trace| trace.contains("4bf92f3577b34da6a3ce929d0e0e4736")));
    bed.harness.stop().await;
}
