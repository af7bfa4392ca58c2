//! What Sitepass itself calls WeChat with, against the stand-in.

use sandbox::TEMPLATES;
use serde_json::json;
use service::config::Secret;
use wechat::{Client, Config, Error, FaceOutcome, SubscribeMessage};

use crate::help::{APPID, TestSandbox, notice};

fn client(sandbox: &TestSandbox) -> Client {
    let config = Config {
        url: format!("{}/wechat", sandbox.url),
        appid: APPID.to_owned(),
        secret: Secret::new(b"wechat-secret"),
    };
    Client::new(config, sandbox.client.clone(), sandbox.system.clone())
}

#[tokio::test]
async fn our_client_signs_in_and_spends_a_consent() {
    let sandbox = TestSandbox::start().await;
    let client = client(&sandbox);
    let openid = client.code_to_session("demo-worker01").await.unwrap().openid;
    assert_eq!(openid, sandbox.openid("worker01").await);
    assert_eq!(client.code_to_session("0a1b").await.unwrap_err(), Error::BadCode);
    assert_eq!(client.phone_number("phone-19900000001").await.unwrap(), "+8619900000001");

    let data = TEMPLATES[0].keys.iter().map(|key| {
        let value = notice(&openid)["data"][key]["value"].as_str().map(str::to_owned);
        ((*key).to_owned(), value.unwrap())
    });
    let message = SubscribeMessage {
        openid: openid.clone(),
        template_id: TEMPLATES[0].id.to_owned(),
        page: "pages/tasks/index".to_owned(),
        data: data.collect(),
    };
    assert_eq!(client.subscribe_send(&message).await.unwrap_err(), Error::NoBalance);
    sandbox.accept(&openid, 1).await;
    let msgid = client.subscribe_send(&message).await.unwrap();
    assert_eq!(sandbox.get("/_control/wechat/messages").await["items"][0]["msgid"], msgid);

    sandbox.accept(&openid, 1).await;
    sandbox.post("/_control/faults", json!({"target": "wechat", "mode": "drop_reply"})).await;
    assert_eq!(client.subscribe_send(&message).await.unwrap_err(), Error::Unknown);
}

#[tokio::test]
async fn our_client_runs_a_face_check() {
    let sandbox = TestSandbox::start().await;
    let client = client(&sandbox);
    let person = &sandbox::roster()[0];
    let openid = client.code_to_session("demo-worker01").await.unwrap().openid;
    for (outcome, expected) in
        [("pass", FaceOutcome::Passed), ("cancel", FaceOutcome::Cancelled(90002))]
    {
        let seq_no = format!("seq-{outcome}");
        let begun = client
            .start_face_verification(&seq_no, &person.name, &person.id_no, &openid)
            .await
            .unwrap();
        let ask = || {
            client.query_face_verification(
                &begun.verify_id,
                &seq_no,
                &person.name,
                &person.id_no,
                &openid,
            )
        };
        assert_eq!(ask().await.unwrap(), FaceOutcome::Pending);
        let act = json!({"verify_id": begun.verify_id, "outcome": outcome});
        sandbox.post("/_control/face/verify", act).await;
        assert_eq!(ask().await.unwrap(), expected);
    }
}
