use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::help::{APPID, TestSandbox, notice, text};

#[tokio::test]
async fn a_demo_code_gives_the_same_openid_each_time_and_another_code_none() {
    let sandbox = TestSandbox::start().await;
    let openid = sandbox.openid("worker01").await;
    assert_eq!(openid.len(), 28);
    assert_eq!(sandbox.openid("worker01").await, openid);
    assert_eq!(sandbox.openid("worker01!7").await, openid);
    assert_ne!(sandbox.openid("worker02").await, openid);

    let call =
        |query: &str| format!("/wechat/sns/jscode2session?{query}&grant_type=authorization_code");
    for (query, errcode) in [
        (format!("appid={APPID}&secret=wechat-secret&js_code=0a1b"), 40029),
        (format!("appid={APPID}&secret=wechat-secret&js_code=demo-worker01!7"), 40163),
        (format!("appid={APPID}&secret=wrong&js_code=demo-a"), 40125),
        ("appid=wxother&secret=wechat-secret&js_code=demo-a".to_owned(), 40013),
    ] {
        let answer = sandbox.get(&call(&query)).await;
        assert_eq!(answer["errcode"], errcode, "{query}");
        assert!(text(&answer, "errmsg").contains(" rid: "));
    }
}

#[tokio::test]
async fn a_token_is_the_same_while_it_lives_and_expires_on_system_time() {
    let sandbox = TestSandbox::start().await;
    let token = sandbox.token().await;
    assert_eq!(sandbox.token().await, token);
    let openid = sandbox.openid("worker01").await;
    let send = format!("/wechat/cgi-bin/message/subscribe/send?access_token={token}");

    sandbox.site.advance(TimeDelta::hours(10));
    assert_eq!(sandbox.post(&send, notice(&openid)).await["errcode"], 43101, "alive");
    sandbox.system.advance(TimeDelta::hours(2));
    assert_eq!(sandbox.post(&send, notice(&openid)).await["errcode"], 42001);
    assert_ne!(sandbox.token().await, token);

    let unknown =
        format!("/wechat/cgi-bin/message/subscribe/send?access_token={}", "x".repeat(136));
    assert_eq!(sandbox.post(&unknown, notice(&openid)).await["errcode"], 40001);
}

#[tokio::test]
async fn a_message_spends_a_consent_and_at_zero_it_is_43101() {
    let sandbox = TestSandbox::start().await;
    let openid = sandbox.openid("worker01").await;
    assert_eq!(sandbox.notify(&openid).await["errcode"], 43101);

    sandbox.accept(&openid, 2).await;
    let first = sandbox.notify(&openid).await;
    assert_eq!(first["errcode"], 0);
    assert!(first["msgid"].as_u64().is_some_and(|msgid| msgid > 1 << 53), "{first}");
    // No idempotency key: the same call again is a second message.
    assert_eq!(sandbox.notify(&openid).await["errcode"], 0);
    assert_eq!(sandbox.notify(&openid).await["errcode"], 43101);

    let received = sandbox.get(&format!("/_control/wechat/messages?openid={openid}")).await;
    assert_eq!(received["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(received["items"][0]["template_name"], "TICKET_PUBLISHED");
    let later = sandbox.get(&format!("/_control/wechat/messages?since={}", first["msgid"])).await;
    assert_eq!(later["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_is_refused_spends_nothing_and_says_what_is_wrong() {
    let sandbox = TestSandbox::start().await;
    let openid = sandbox.openid("worker01").await;
    sandbox.accept(&openid, 1).await;
    let with = |pointer: &str, value: Value| {
        let mut body = notice(&openid);
        *body.pointer_mut(pointer).expect("a field of the notice") = value;
        body
    };
    for (body, errcode) in [
        (with("/touser", json!("o0000000000000000000000000000")), 40003),
        (with("/template_id", json!("not-ours")), 40037),
        (with("/page", json!("pages/nowhere")), 41030),
        (with("/data/thing3/value", json!("")), 47003),
    ] {
        let answer = sandbox.weixin("/wechat/cgi-bin/message/subscribe/send", body).await;
        assert_eq!(answer["errcode"], errcode, "{answer}");
    }
    let too_long = with("/data/thing3/value", json!("一".repeat(21)));
    let answer = sandbox.weixin("/wechat/cgi-bin/message/subscribe/send", too_long).await;
    assert_eq!(answer["errcode"], 47003);
    assert!(text(&answer, "errmsg").starts_with("argument invalid! data.thing3.value"), "{answer}");

    assert_eq!(sandbox.notify(&openid).await["errcode"], 0);
}

#[tokio::test]
async fn a_phone_code_gives_its_number() {
    let sandbox = TestSandbox::start().await;
    let call = |code: &str| {
        sandbox.weixin("/wechat/wxa/business/getuserphonenumber", json!({"code": code}))
    };
    let answer = call("phone-19900000001").await;
    assert_eq!(answer["errcode"], 0);
    assert_eq!(answer["phone_info"]["purePhoneNumber"], "19900000001");
    assert_eq!(answer["phone_info"]["countryCode"], "86");
    assert_eq!(answer["phone_info"]["watermark"]["appid"], APPID);
    assert_eq!(call("phone-123").await["errcode"], 40029);
}
