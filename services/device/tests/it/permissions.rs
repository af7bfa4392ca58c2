use std::sync::{Arc, Mutex};

use device::FollowAreas;
use proto::access_grant::v1::{DoorChange, Grant, ListDoorChangesRequest, ListDoorChangesResponse};
use serde_json::json;
use service::Refusal;
use types::ErrorCode;

use crate::bed::{Bed, NORTH, area_changed};
use crate::peers::provide;

type Asked = Arc<Mutex<Vec<ListDoorChangesRequest>>>;

/// A log with one grant at position 7.
fn provide_log(bed: &Bed) -> Asked {
    let asked = Asked::default();
    let (seen, from) = (asked.clone(), bed.now());
    provide(&bed.harness.shell, "access-grant", move |caller, request: ListDoorChangesRequest| {
        assert_eq!(caller, "service:device");
        let answer = match request.cursor.as_str() {
            "" => Ok(ListDoorChangesResponse {
                changes: vec![DoorChange {
                    kind: "UPSERT".to_owned(),
                    grant: Some(Grant {
                        grant_id: "g-1".to_owned(),
                        face_id: "face_1".to_owned(),
                        access_group_id: NORTH.to_owned(),
                        access_start_at: Some(proto::timestamp(from)),
                        access_end_at: Some(proto::timestamp(from + chrono::TimeDelta::hours(14))),
                        ..Grant::default()
                    }),
                }],
                cursor: "7".to_owned(),
                more: true,
            }),
            "7" => Ok(ListDoorChangesResponse { cursor: "7".to_owned(), ..Default::default() }),
            _ => Err(Refusal::new(ErrorCode::CursorExpired).into()),
        };
        seen.lock().unwrap().push(request);
        async move { answer }
    });
    asked
}

#[tokio::test]
async fn a_door_is_told_what_it_should_hold_and_goes_on_from_its_cursor() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let asked = provide_log(&bed);
    let all = door.get("permissions?limit=10").await.data();
    let expected = json!([{
        "kind": "UPSERT", "grant_id": "g-1", "face_id": "face_1", "access_group_id": NORTH,
        "access_start_at": "2026-03-02T00:00:00.000Z", "access_end_at": "2026-03-02T14:00:00.000Z",
    }]);
    assert_eq!((&all["changes"], &all["more"]), (&expected, &json!(true)));
    let cursor = all["cursor"].as_str().unwrap();
    let none = door.get(&format!("permissions?cursor={cursor}&wait=60")).await.data();
    assert_eq!(
        (&none["changes"], none["cursor"].as_str(), &none["more"]),
        (&json!([]), Some(cursor), &json!(false))
    );
    {
        let asked = asked.lock().unwrap();
        assert_eq!(asked[0].access_group_ids, [NORTH]);
        assert_eq!((asked[0].limit, asked[0].wait_ms), (10, 0));
        // Longer than the longest wait is the longest wait.
        assert_eq!((asked[1].limit, asked[1].wait_ms), (200, 25_000));
    }
    let bad = door.get("permissions?limit=501&wait=soon").await;
    assert_eq!(bad.code(), 40001);
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_cursor_that_is_no_place_in_the_door_s_log_starts_it_again() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    provide_log(&bed);
    let cursor = door.get("permissions").await.data()["cursor"].as_str().unwrap().to_owned();
    let (log, _) = cursor.split_once('.').unwrap();
    for cursor in ["7", "x.7", &format!("{log}.6")] {
        let answer = door.get(&format!("permissions?cursor={cursor}")).await;
        assert_eq!((answer.status, answer.code()), (410, 41001), "{cursor}");
    }
    // Another access group is another log, at whatever position.
    bed.deliver(&FollowAreas, &area_changed(bed.site, bed.area, "acg_other", 3)).await;
    bed.deliver(&FollowAreas, &area_changed(bed.site, bed.area, NORTH, 2)).await;
    assert_eq!(door.get(&format!("permissions?cursor={cursor}")).await.code(), 41001);
    bed.harness.stop().await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_door_that_waits_for_changes() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let waiting = Arc::new(tokio::sync::Notify::new());
    let reached = waiting.clone();
    provide(&bed.harness.shell, "access-grant", move |_, _: ListDoorChangesRequest| {
        reached.notify_one();
        std::future::pending::<Result<ListDoorChangesResponse, tonic::Status>>()
    });
    let stop = async {
        waiting.notified().await;
        bed.harness.stop().await;
    };
    let (answer, ()) = tokio::join!(door.get("permissions?wait=25"), stop);
    assert_eq!(answer.data(), json!({"changes": [], "cursor": "", "more": false}));
}
