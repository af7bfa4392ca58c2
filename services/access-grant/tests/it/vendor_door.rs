use std::sync::{Arc, Mutex};

use access_grant::door::{Door, Fault, Order, Person, VendorDoor};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde_json::{Value, json};
use types::{GrantId, SiteZone, TimeWindow};

use crate::world::group;

type Seen = Arc<Mutex<Vec<Value>>>;

/// A vendor's platform that notes what it is told and answers `answer`.
async fn vendor(status: StatusCode, answer: Value) -> (VendorDoor, Seen) {
    let seen = Seen::default();
    let reply = move || (status, Json(answer.clone()));
    let (pushed, read) = (reply.clone(), reply.clone());
    let router = Router::new()
        .route(
            "/door/api/integration/access-control/grants",
            get(async move |State(seen): State<Seen>, Query(query): Query<Value>| {
                seen.lock().unwrap().push(query);
                read()
            })
            .post(async move |State(seen): State<Seen>, Json(body): Json<Value>| {
                seen.lock().unwrap().push(body);
                pushed()
            }),
        )
        .route(
            "/door/api/integration/access-control/grants/{id}",
            delete(async move |State(seen): State<Seen>, Path(id): Path<String>| {
                seen.lock().unwrap().push(json!(id));
                reply()
            }),
        )
        .with_state(seen.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/door/", listener.local_addr().unwrap());
    service::http::listen(&service::Tasks::new(), "vendor", listener, router);
    (VendorDoor::new(&url).unwrap(), seen)
}

async fn push(door: &VendorDoor, grant: GrantId) -> Result<(), Fault> {
    let person =
        Person { id_no: "659999199001010018".to_owned(), name: "测试工人01".to_owned() };
    let window = TimeWindow::parse("22:00", "06:00").unwrap();
    let order = Order {
        grant,
        group: &group("acg_01"),
        face_id: "face_123",
        person: &person,
        window: window.on("2026-01-10".parse().unwrap(), SiteZone::default()),
        zone: SiteZone::default(),
    };
    door.push(&order).await
}

#[tokio::test]
async fn the_body_is_the_one_of_the_requirements() {
    let (door, seen) =
        vendor(StatusCode::OK, json!({"code": 0, "data": {"sync_status": "SYNCED"}})).await;
    let grant = GrantId::new();
    push(&door, grant).await.unwrap();
    let body = json!({
        "grant_id": grant,
        "worker": {"id_no": "659999199001010018", "name": "测试工人01", "face_id": "face_123"},
        "area": {"access_group_id": "acg_01"},
        "access_start_at": "2026-01-10T22:00:00+08:00",
        "access_end_at": "2026-01-11T06:00:00+08:00",
    });
    assert_eq!(*seen.lock().unwrap(), [body]);
}

#[tokio::test]
async fn what_a_door_holds_is_read_page_by_page() {
    let item = json!({
        "grant_id": "g_5001",
        "worker": {"id_no": "x", "name": "x", "face_id": "face_123"},
        "area": {"access_group_id": "acg_01"},
        "access_start_at": "2026-01-10T06:00:00+08:00",
        "access_end_at": "2026-01-10T20:00:00+08:00",
    });
    let answer = json!({"code": 0, "data": {"items": [item], "next_cursor": "g_5001"}});
    let (door, seen) = vendor(StatusCode::OK, answer).await;
    let page = door.read(&group("acg_01"), Some("g_1")).await.unwrap();
    assert_eq!(page.next_cursor.as_deref(), Some("g_5001"));
    assert_eq!(
        (page.entries[0].grant_id.as_str(), page.entries[0].face_id.as_str()),
        ("g_5001", "face_123")
    );
    assert_eq!(
        page.entries[0].window.start,
        "2026-01-09T22:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    );
    assert_eq!(seen.lock().unwrap()[0]["cursor"], "g_1");
    let id = "odd/../id";
    door.remove(&group("acg_01"), id).await.unwrap();
    assert_eq!(seen.lock().unwrap()[1], id, "an id is one segment, whatever is in it");
}

#[tokio::test]
async fn failures_are_codes_and_never_what_was_answered() {
    for (status, answer, expected) in [
        (
            StatusCode::BAD_REQUEST,
            json!({"code": 40001, "data": "测试工人01"}),
            Fault::Refused("REFUSED_40001".to_owned()),
        ),
        (StatusCode::OK, json!({"code": 7, "data": null}), Fault::Refused("REFUSED_7".to_owned())),
        (StatusCode::OK, json!("ok"), Fault::Refused("BAD_ANSWER".to_owned())),
        (StatusCode::NOT_FOUND, json!({}), Fault::Refused("HTTP_404".to_owned())),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"code": 50301, "data": {}}),
            Fault::Away("HTTP_503".to_owned()),
        ),
    ] {
        let (door, _) = vendor(status, answer).await;
        assert_eq!(push(&door, GrantId::new()).await, Err(expected));
    }
    let nobody = VendorDoor::new("http://127.0.0.1:1").unwrap();
    assert_eq!(push(&nobody, GrantId::new()).await, Err(Fault::Away("UNREACHABLE".to_owned())));
}
