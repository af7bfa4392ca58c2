use proto::access_grant::v1::{ExplainRequest, ExplainResponse, Failing};
use proto::device::v1::{
    Device, ListPassagesRequest, ListPassagesResponse, Passage, RegisterDeviceRequest,
    RegisterDeviceResponse,
};
use proto::directory::v1::{
    Area, ListAreasRequest, ListAreasResponse, SearchWorkersRequest, SearchWorkersResponse,
    WorkerRow,
};
use proto::training::v1::{AddVideoRequest, AddVideoResponse, Video};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::help::{edge, id};

#[tokio::test]
async fn a_search_by_personal_words_stands_in_the_body() {
    let edge = edge().await;
    edge.fakes.on("DirectoryService/SearchWorkers", |_: SearchWorkersRequest| {
        let row = WorkerRow {
            name: "测试工人01".to_owned(),
            id_no_masked: "659***********1234".to_owned(),
            ..WorkerRow::default()
        };
        Ok(SearchWorkersResponse { workers: vec![row], total: 1, roster_synced_at: None })
    });
    let site = edge.site.to_string();
    let search =
        json!({"site_id": site, "keyword": "测试", "bound": false, "page": 2, "page_size": 5});
    let found = edge.post(&edge.sysadmin(), "/api/admin/workers/search", &search).await;
    assert_eq!(found.data()["items"][0]["id_no"], "659***********1234");
    assert_eq!((&found.data()["page"], &found.data()["total"]), (&json!(2), &json!(1)));
    let asked: SearchWorkersRequest = edge.fakes.only("DirectoryService/SearchWorkers").message();
    assert_eq!((asked.keyword.as_str(), asked.bound.as_str()), ("测试", "false"));
    assert_eq!((asked.page.unwrap().page_size, asked.departed_too), (5, false));
    edge.get(&edge.sysadmin(), &format!("/api/admin/workers?site_id={site}&keyword=x"))
        .await
        .data();
    let asked = edge.fakes.asked("DirectoryService/SearchWorkers");
    assert_eq!(asked[1].message::<SearchWorkersRequest>().keyword, "");
}

#[tokio::test]
async fn a_list_of_one_site_asks_for_the_site_and_the_document_says_so() {
    let edge = edge().await;
    let document = edge.get("", "/openapi.json").await.body;
    for path in ["/api/admin/workers", "/api/admin/videos"] {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let site = parameters.iter().find(|parameter| parameter["name"] == "site_id").unwrap();
        assert_eq!(site["required"], true, "{path}");
        let refused = edge.get(&edge.sysadmin(), path).await;
        assert_eq!((refused.code(), refused.fields()), (40001, vec!["site_id".to_owned()]));
    }
    assert_eq!(document["components"]["schemas"]["Search"]["required"], json!(["site_id"]));
    let search = json!({"keyword": "测试"});
    let refused = edge.post(&edge.sysadmin(), "/api/admin/workers/search", &search).await;
    assert_eq!((refused.code(), refused.fields()), (40001, vec!["site_id".to_owned()]));
}

#[tokio::test]
async fn a_device_s_secret_is_in_the_answer_to_its_registration() {
    let edge = edge().await;
    edge.fakes.on("DeviceService/RegisterDevice", |request: RegisterDeviceRequest| {
        let device = Device {
            device_id: request.device_id,
            direction: request.direction,
            ..Device::default()
        };
        Ok(RegisterDeviceResponse { device: Some(device), secret: "shown-once".to_owned() })
    });
    let new = json!({"device_id": "dev_01", "site_id": id(), "name": "一号门", "area_ids": [id()], "direction": "in_only"});
    let made = edge.post(&edge.sysadmin(), "/api/admin/devices", &new).await;
    assert_eq!(
        (&made.data()["secret"], &made.data()["direction"]),
        (&json!("shown-once"), &json!("in_only"))
    );
    let mut odd = new.clone();
    odd["direction"] = json!("sideways");
    odd["name"] = json!("");
    assert_eq!(
        edge.post(&edge.sysadmin(), "/api/admin/devices", &odd).await.fields(),
        ["direction", "name"]
    );
}

#[tokio::test]
async fn a_video_is_uploaded_as_a_form() {
    let edge = edge().await;
    edge.fakes.on("TrainingService/AddVideo", |request: AddVideoRequest| {
        let video = Video { title: request.title, duration_sec: 60, ..Video::default() };
        Ok(AddVideoResponse { video: Some(video) })
    });
    let post = |form: Form| {
        edge.request(Method::POST, "/api/admin/videos").bearer_auth(edge.sysadmin()).multipart(form)
    };
    let form = Form::new()
        .text("title", "高处作业安全")
        .text("site_id", id())
        .part("file", Part::bytes(vec![7; 2 << 20]).file_name("a.mp4"));
    let added = edge.send(post(form)).await;
    assert_eq!(
        (&added.data()["title"], &added.data()["duration_sec"]),
        (&json!("高处作业安全"), &json!(60))
    );
    let asked: AddVideoRequest = edge.fakes.only("TrainingService/AddVideo").message();
    assert_eq!(asked.content.len(), 2 << 20);

    let incomplete = edge.send(post(Form::new().text("site_id", "s").text("tag", "x"))).await;
    assert_eq!(incomplete.fields(), ["file", "site_id", "tag", "title"]);
    let json = edge.post(&edge.sysadmin(), "/api/admin/videos", &json!({})).await;
    assert_eq!((json.status, json.code()), (415, 41501));
    let large = Form::new().part("file", Part::bytes(vec![0; (50 << 20) + 1]));
    let large = edge.send(post(large)).await;
    assert_eq!((large.status, large.code()), (413, 41301));
}

#[tokio::test]
async fn passages_go_on_from_a_cursor() {
    let edge = edge().await;
    edge.fakes.on("DeviceService/ListPassages", |_: ListPassagesRequest| {
        let passage = Passage { result: "DENY".to_owned(), ..Passage::default() };
        Ok(ListPassagesResponse { passages: vec![passage], next_cursor: "9".to_owned() })
    });
    let path = "/api/admin/passages?from=2026-03-01T00%3A00%3A00%2B08%3A00&cursor=5&page_size=1";
    let listed = edge.get(&edge.sysadmin(), path).await;
    assert_eq!(listed.data()["next_cursor"], "9");
    assert_eq!(listed.data()["items"][0]["worker_id"], Value::Null);
    let asked: ListPassagesRequest = edge.fakes.only("DeviceService/ListPassages").message();
    assert_eq!((asked.cursor.as_str(), asked.limit), ("5", 1));
    assert_eq!(asked.from.unwrap().seconds, 1_772_294_400);
}

#[tokio::test]
async fn an_explanation_says_what_to_do_and_finds_the_area_s_site() {
    let edge = edge().await;
    let (area, site) = (id(), edge.site.to_string());
    let listed = Area { area_id: area.clone(), site_id: site.clone(), ..Area::default() };
    edge.fakes.on("DirectoryService/ListAreas", move |_: ListAreasRequest| {
        Ok(ListAreasResponse { areas: vec![listed.clone()] })
    });
    edge.fakes.on("AccessGrantService/Explain", |_: ExplainRequest| {
        let failing = Failing {
            reason_code: "TRAINING_INCOMPLETE".to_owned(),
            mend: "finish_training".to_owned(),
            who: "WORKER".to_owned(),
            ..Failing::default()
        };
        let reason_code = failing.reason_code.clone();
        Ok(ExplainResponse { reason_code, failing: vec![failing], ..ExplainResponse::default() })
    });
    let ask = |area: &str| format!("/api/admin/explain?worker_id={}&area_id={area}", id());
    let explained = edge.get(&edge.sysadmin(), &ask(&area)).await;
    assert_eq!(explained.data()["reason_code"], "TRAINING_INCOMPLETE");
    assert_eq!(
        explained.data()["failing"][0]["what_to_do"],
        "Open the mini-program and finish today's safety training"
    );
    let asked: ExplainRequest = edge.fakes.only("AccessGrantService/Explain").message();
    assert_eq!(asked.site_id, site);
    // Now, where no instant is named.
    assert_eq!(asked.at.unwrap().seconds, edge.now().timestamp());
    let elsewhere = edge.get(&edge.sysadmin(), &ask(&id())).await;
    assert_eq!(elsewhere.code(), 40400);
}
