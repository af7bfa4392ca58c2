#![expect(clippy::unwrap_used, reason = "a test fails where a call fails")]

use chrono::TimeDelta;
use sandbox::tc3::{self, Call};
use sandbox::{SIGN_NAME, SMS_TEMPLATES};
use serde_json::{Value, json};
use types::SystemClock;

use crate::help::TestSandbox;

async fn send(
    sandbox: &TestSandbox,
    secret_key: &str,
    signed_at: &SystemClock,
    numbers: &[&str],
) -> Value {
    let body = json!({
        "PhoneNumberSet": numbers,
        "SmsSdkAppId": "1400006666",
        "SignName": SIGN_NAME,
        "TemplateId": SMS_TEMPLATES[0].0,
        "TemplateParamSet": ["123456", "5"],
        "SessionContext": "ours-1",
    })
    .to_string();
    let host = sandbox.url.trim_start_matches("http://").to_owned();
    let content_type = "application/json; charset=utf-8";
    let signed =
        [("content-type", content_type), ("host", host.as_str()), ("x-tc-action", "SendSms")];
    let call = Call { service: "sms", at: signed_at.now(), signed: &signed, body: body.as_bytes() };
    let request = sandbox
        .client
        .post(&format!("{}/sms", sandbox.url))
        .header("content-type", content_type)
        .header("x-tc-action", "SendSms")
        .header("x-tc-version", "2021-01-11")
        .header("x-tc-region", "ap-guangzhou")
        .header("x-tc-timestamp", signed_at.now().timestamp())
        .header("authorization", tc3::authorization("AKIDtest", secret_key, &call));
    request.body(body).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn each_number_has_its_own_code_in_a_good_answer() {
    let sandbox = TestSandbox::start().await;
    let numbers = ["+8619900000001", "19900000002", "not a number"];
    let answer = send(&sandbox, "sms-secret", &sandbox.system, &numbers).await;
    let codes: Vec<_> = answer["Response"]["SendStatusSet"]
        .as_array()
        .unwrap()
        .iter()
        .map(|status| &status["Code"])
        .collect();
    assert_eq!(codes, ["Ok", "Ok", "InvalidParameterValue.IncorrectPhoneNumber"]);
    assert_eq!(answer["Response"]["SendStatusSet"][0]["SessionContext"], "ours-1");

    let again = send(&sandbox, "sms-secret", &sandbox.system, &numbers[..1]).await;
    assert_eq!(
        again["Response"]["SendStatusSet"][0]["Code"],
        "LimitExceeded.PhoneNumberThirtySecondLimit"
    );
    sandbox.system.advance(TimeDelta::seconds(30));
    send(&sandbox, "sms-secret", &sandbox.system, &numbers[..1]).await;

    let received = sandbox.get("/_control/sms?phone=19900000001").await;
    assert_eq!(received["items"].as_array().unwrap().len(), 2);
    assert_eq!(received["items"][0]["params"][0], "123456");
}

#[tokio::test]
async fn an_unbelieved_signature_fails_the_whole_call() {
    let sandbox = TestSandbox::start().await;
    let code = |answer: Value| answer["Response"]["Error"]["Code"].clone();
    let wrong = send(&sandbox, "another", &sandbox.system, &["19900000001"]).await;
    assert_eq!(code(wrong), "AuthFailure.SignatureFailure");
    let old = SystemClock::manual(sandbox.system.now() - TimeDelta::minutes(6));
    assert_eq!(
        code(send(&sandbox, "sms-secret", &old, &["19900000001"]).await),
        "AuthFailure.SignatureExpire"
    );
    assert_eq!(code(sandbox.post("/sms", json!({})).await), "AuthFailure.InvalidAuthorization");
    assert!(sandbox.get("/_control/sms").await["items"].as_array().unwrap().is_empty());
}
