use serde_json::json;

use crate::help::{TestSandbox, grant, text};

const GRANTS: &str = "/door/api/integration/access-control/grants";

#[tokio::test]
async fn pushing_one_grant_twice_makes_one_entry_with_the_newest_window() {
    let sandbox = TestSandbox::start().await;
    let first = sandbox.push(grant("g1", 1, "acg_01")).await;
    assert_eq!((&first["code"], &first["data"]["sync_status"]), (&json!(0), &json!("SYNCED")));
    let mut later = grant("g1", 1, "acg_01");
    later["access_end_at"] = json!("2026-03-02T22:00:00+08:00");
    assert_eq!(
        sandbox.push(later.clone()).await["data"]["vendor_ref"],
        first["data"]["vendor_ref"]
    );

    let held = sandbox.get(&format!("{GRANTS}?access_group_id=acg_01")).await;
    let items = held["data"]["items"].as_array().unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["worker"], later["worker"]);
    assert_eq!(items[0]["access_end_at"], "2026-03-02T22:00:00+08:00");
    let shown = sandbox.get("/_control/doors/acg_01/permissions").await;
    assert_eq!(shown["items"][0]["pushes"], 2);
}

#[tokio::test]
async fn the_last_calls_trace_is_kept_with_the_grant() {
    let sandbox = TestSandbox::start().await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request =
        sandbox.client.post(&format!("{}{GRANTS}", sandbox.url)).header("traceparent", traceparent);
    request.json(&grant("g1", 1, "acg_01")).send().await.unwrap();
    let shown = sandbox.get("/_control/doors/acg_01/permissions").await;
    assert_eq!(shown["items"][0]["traceparent"], traceparent);
}

#[tokio::test]
async fn what_a_door_holds_is_read_back_page_by_page() {
    let sandbox = TestSandbox::start().await;
    for number in 1..=5 {
        sandbox.push(grant(&format!("g{number}"), number, "acg_01")).await;
    }
    sandbox.push(grant("g9", 9, "acg_02")).await;

    let mut path = format!("{GRANTS}?access_group_id=acg_01&limit=2");
    let mut ids = Vec::new();
    loop {
        let page = sandbox.get(&path).await;
        ids.extend(
            page["data"]["items"].as_array().unwrap().iter().map(|item| text(item, "grant_id")),
        );
        let Some(cursor) = page["data"]["next_cursor"].as_str() else { break };
        path = format!("{GRANTS}?access_group_id=acg_01&limit=2&cursor={cursor}");
    }
    assert_eq!(ids, ["g1", "g2", "g3", "g4", "g5"]);
}

#[tokio::test]
async fn taking_away_twice_succeeds_twice() {
    let sandbox = TestSandbox::start().await;
    sandbox.push(grant("g1", 1, "acg_01")).await;
    for removed in [true, false] {
        let answer = sandbox.delete(&format!("{GRANTS}/g1")).await;
        assert_eq!((&answer["code"], &answer["data"]["removed"]), (&json!(0), &json!(removed)));
    }
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let sandbox = TestSandbox::start().await;
    let mut bad = grant("g 1", 1, "");
    bad["worker"] = json!({"id_no": "110105194912310021", "name": "", "face_id": ""});
    bad["access_end_at"] = json!("2026-03-02T05:00:00+08:00");
    let answer = sandbox.push(bad).await;
    assert_eq!((&answer["code"], &answer["message"]), (&json!(40001), &json!("VALIDATION_FAILED")));
    let fields: Vec<_> =
        answer["data"]["fields"].as_array().unwrap().iter().map(|field| &field["field"]).collect();
    assert_eq!(
        fields,
        [
            "grant_id",
            "worker.face_id",
            "area.access_group_id",
            "worker.id_no",
            "worker.name",
            "access_end_at"
        ]
    );
}

#[tokio::test]
async fn an_offline_door_takes_nothing_and_gives_nothing() {
    let sandbox = TestSandbox::start().await;
    sandbox.push(grant("g1", 1, "acg_01")).await;
    sandbox.post("/_control/doors/acg_01", json!({"state": "offline"})).await;
    assert_eq!(sandbox.push(grant("g2", 2, "acg_01")).await["message"], "DEVICE_OFFLINE");
    assert_eq!(sandbox.delete(&format!("{GRANTS}/g1")).await["code"], 50301);
    assert_eq!(sandbox.get(&format!("{GRANTS}?access_group_id=acg_01")).await["code"], 50301);

    sandbox.post("/_control/doors/acg_01", json!({"state": "ok"})).await;
    let held = sandbox.get(&format!("{GRANTS}?access_group_id=acg_01")).await;
    assert_eq!(held["data"]["items"].as_array().unwrap().len(), 1);
}
