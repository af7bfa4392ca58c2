use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::help::{TestSandbox, text};

const ZHANG_SAN: &str = "3c241f7ff324977aeb91f173bb2a7b06569e6fd784d5573db34a636d8671108b";

async fn begin(sandbox: &TestSandbox, out_seq_no: &str, openid: &str) -> Value {
    let cert =
        json!({"cert_type": "IDENTITY_CARD", "cert_name": "张三", "cert_no": "310101199801011234"});
    let body = json!({"out_seq_no": out_seq_no, "cert_info": cert, "openid": openid});
    sandbox.weixin("/face/cityservice/face/identify/getverifyid", body).await
}

async fn ask(
    sandbox: &TestSandbox,
    verify_id: &str,
    out_seq_no: &str,
    cert_hash: &str,
    openid: &str,
) -> Value {
    let body = json!({"verify_id": verify_id, "out_seq_no": out_seq_no, "cert_hash": cert_hash, "openid": openid});
    sandbox.weixin("/face/cityservice/face/identify/queryverifyinfo", body).await
}

#[tokio::test]
async fn a_face_passes_or_fails_once_and_the_result_is_kept() {
    let sandbox = TestSandbox::start().await;
    let openid = sandbox.openid("worker01").await;
    for (outcome, verify_ret) in
        [("pass", 10000), ("fail", 10003), ("unsure", 10001), ("cancel", 90002), ("timeout", 90017)]
    {
        let seq_no = format!("seq-{outcome}");
        let begun = begin(&sandbox, &seq_no, &openid).await;
        assert_eq!((&begun["errcode"], &begun["expires_in"]), (&json!(0), &json!(3600)));
        let verify_id = text(&begun, "verify_id");
        let early = ask(&sandbox, &verify_id, &seq_no, ZHANG_SAN, &openid).await;
        assert_eq!(early.get("verify_ret"), None, "nobody has looked into the camera");

        sandbox
            .post("/_control/face/verify", json!({"verify_id": verify_id, "outcome": outcome}))
            .await;
        let again = sandbox
            .post("/_control/face/verify", json!({"verify_id": verify_id, "outcome": "fail"}))
            .await;
        assert_eq!(again["kept"], true);
        for _ in 0..2 {
            let answer = ask(&sandbox, &verify_id, &seq_no, ZHANG_SAN, &openid).await;
            assert_eq!(
                (&answer["errcode"], &answer["verify_ret"]),
                (&json!(0), &json!(verify_ret))
            );
        }
    }
}

#[tokio::test]
async fn an_answer_is_for_the_person_and_the_number_it_was_begun_with() {
    let sandbox = TestSandbox::start().await;
    let (openid, other) = (sandbox.openid("worker01").await, sandbox.openid("worker02").await);
    let verify_id = text(&begin(&sandbox, "seq-0001", &openid).await, "verify_id");
    sandbox.post("/_control/face/verify", json!({"verify_id": verify_id, "outcome": "pass"})).await;
    for (verify_id, seq_no, hash, openid) in [
        ("fv_unknown", "seq-0001", ZHANG_SAN, &openid),
        (&verify_id, "seq-0002", ZHANG_SAN, &openid),
        (&verify_id, "seq-0001", "00", &openid),
        (&verify_id, "seq-0001", ZHANG_SAN, &other),
    ] {
        let answer = ask(&sandbox, verify_id, seq_no, hash, openid).await;
        assert_ne!(answer["errcode"], 0);
        assert!(answer.get("verify_ret").is_none());
    }
    assert_eq!(
        begin(&sandbox, "seq-0001", &openid).await["errcode"],
        40097,
        "a sequence number works once"
    );
    assert_eq!(begin(&sandbox, "seq-0009", "o-stranger").await["errcode"], 40003);
}

#[tokio::test]
async fn a_verification_nobody_does_in_an_hour_is_timed_out() {
    let sandbox = TestSandbox::start().await;
    let openid = sandbox.openid("worker01").await;
    let verify_id = text(&begin(&sandbox, "seq-0001", &openid).await, "verify_id");
    sandbox.system.advance(TimeDelta::seconds(3600));
    let late = sandbox
        .post("/_control/face/verify", json!({"verify_id": verify_id, "outcome": "pass"}))
        .await;
    assert_eq!(late["error"], "verify_id: expired");
    assert_eq!(
        ask(&sandbox, &verify_id, "seq-0001", ZHANG_SAN, &openid).await["verify_ret"],
        90017
    );
}

#[tokio::test]
async fn a_prepared_outcome_is_that_persons_next_one_only() {
    let sandbox = TestSandbox::start().await;
    let openid = sandbox.openid("worker01").await;
    let prepared = json!({"worker": "310101199801011234", "outcome": "fail"});
    assert_eq!(sandbox.post("/_control/face/tokens", prepared).await["prepared"], true);
    let verify_id = text(&begin(&sandbox, "seq-0001", &openid).await, "verify_id");
    assert_eq!(
        ask(&sandbox, &verify_id, "seq-0001", ZHANG_SAN, &openid).await["verify_ret"],
        10003
    );
    let next = text(&begin(&sandbox, "seq-0002", &openid).await, "verify_id");
    let early = ask(&sandbox, &next, "seq-0002", ZHANG_SAN, &openid).await;
    assert_eq!(early.get("verify_ret"), None);
}
