use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::help::{TestSandbox, grant, notice};

async fn order(sandbox: &TestSandbox, target: &str, mode: &str) {
    let ordered = sandbox
        .post("/_control/faults", json!({"target": target, "mode": mode, "seconds": 30}))
        .await;
    assert!(ordered["items"].as_array().is_some_and(|items| !items.is_empty()), "{ordered}");
}

#[tokio::test]
async fn a_dropped_reply_closes_the_connection_with_the_work_done() {
    let sandbox = TestSandbox::start().await;
    order(&sandbox, "door", "drop_reply").await;
    let url = format!("{}/door/api/integration/access-control/grants", sandbox.url);
    let lost = sandbox.client.post(&url).json(&grant("g1", 1, "acg_01")).send().await;
    let err = lost.expect_err("no answer comes");
    assert!(!err.is_timeout() && !err.is_connect(), "{err:?}");
    let held = sandbox.get("/_control/doors/acg_01/permissions").await;
    assert_eq!(held["items"].as_array().map(Vec::len), Some(1));

    let openid = sandbox.openid("worker01").await;
    sandbox.accept(&openid, 1).await;
    let token = sandbox.token().await;
    order(&sandbox, "wechat", "drop_reply").await;
    let url = format!("{}/wechat/cgi-bin/message/subscribe/send?access_token={token}", sandbox.url);
    sandbox.client.post(&url).json(&notice(&openid)).send().await.expect_err("no answer comes");
    sandbox.delete("/_control/faults").await;
    assert_eq!(sandbox.notify(&openid).await["errcode"], 43101, "the lost call spent the consent");
    let received = sandbox.get("/_control/wechat/messages").await;
    assert_eq!(received["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn each_firm_fails_in_its_own_words_until_the_time_is_over() {
    let sandbox = TestSandbox::start().await;
    for target in ["wechat", "sms", "face", "realname", "door"] {
        order(&sandbox, target, "error").await;
    }
    let weixin: Value = sandbox.get("/wechat/sns/jscode2session").await;
    assert_eq!(weixin["errcode"], -1);
    assert_eq!(
        sandbox.post("/face/cityservice/face/identify/getverifyid", json!({})).await["errcode"],
        -1
    );
    assert_eq!(
        sandbox.post("/sms", json!({})).await["Response"]["Error"]["Code"],
        "InternalError.OtherError"
    );
    assert_eq!(sandbox.get("/realname/integration/realname/workers").await["code"], 50000);
    assert_eq!(sandbox.push(grant("g1", 1, "acg_01")).await["code"], 50000);
    assert_eq!(sandbox.get("/_control/doors").await["items"], json!([]), "nothing was done");

    sandbox.system.advance(TimeDelta::seconds(30));
    assert_eq!(sandbox.push(grant("g1", 1, "acg_01")).await["code"], 0);
    assert_eq!(sandbox.get("/_control/faults").await["items"], json!([]));
}

#[tokio::test]
async fn one_door_can_fail_while_its_neighbour_works() {
    let sandbox = TestSandbox::start().await;
    let grants = "/door/api/integration/access-control/grants";
    sandbox.push(grant("g1", 1, "acg_01")).await;
    order(&sandbox, "door:acg_01", "error").await;
    assert_eq!(sandbox.push(grant("g1", 1, "acg_01")).await["code"], 50000);
    assert_eq!(sandbox.get(&format!("{grants}?access_group_id=acg_01")).await["code"], 50000);
    assert_eq!(sandbox.delete(&format!("{grants}/g1")).await["code"], 50000);
    assert_eq!(sandbox.push(grant("g2", 2, "acg_02")).await["code"], 0);
}

#[tokio::test]
async fn a_silent_firm_answers_nothing_and_a_slow_one_late() {
    let sandbox = TestSandbox::start().await;
    let url = format!("{}/realname/integration/realname/workers", sandbox.url);
    let call = || sandbox.client.get(&url).timeout(Duration::from_millis(300)).send();
    order(&sandbox, "realname", "timeout").await;
    assert!(call().await.unwrap_err().is_timeout());

    sandbox.delete("/_control/faults").await;
    let slow = json!({"target": "realname", "mode": "slow", "delay_ms": 600});
    sandbox.post("/_control/faults", slow).await;
    assert!(call().await.unwrap_err().is_timeout());
    let late = sandbox.client.get(&url).send().await.unwrap();
    assert_eq!(late.status(), 200);
}

#[tokio::test]
async fn a_wrong_order_is_explained_and_the_index_lists_every_knob() {
    let sandbox = TestSandbox::start().await;
    for bad in [
        json!({"target": "moon", "mode": "error"}),
        json!({"target": "wechat:acg_01", "mode": "error"}),
        json!({"target": "wechat", "mode": "explode"}),
        json!({"target": "wechat", "mode": "error", "rate": 2}),
    ] {
        assert!(sandbox.post("/_control/faults", bad).await["error"].is_string());
    }
    let index = sandbox.get("/_control").await;
    assert!(index.as_object().unwrap().len() > 20);
    assert!(sandbox.get("/nowhere").await["error"].is_string());
}

#[tokio::test]
async fn site_time_is_set_and_sped_up_by_one_call() {
    let sandbox = TestSandbox::start().await;
    let set = sandbox.post("/_control/clock", json!({"now": "2026-03-02T05:00:00+08:00"})).await;
    assert_eq!(set["now"], "2026-03-02T05:00:00+08:00");
    assert_eq!(sandbox.get("/_control/clock").await["speed"], 0.0);
    assert_eq!(sandbox.post("/_control/clock", json!({"speed": 60})).await["speed"], 60.0);
    assert!(sandbox.post("/_control/clock", json!({"speed": -1})).await["error"].is_string());
}
