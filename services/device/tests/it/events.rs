use chrono::TimeDelta;
use device::FollowWorkers;
use proto::device::v1::PassageRecorded;
use serde_json::{Value, json};
use types::ContractorId;

use crate::bed::{Bed, event, event_at, outcomes, worker_changed};

fn said(seq: u64, outcome: &str, why: &str) -> (u64, String, String) {
    (seq, outcome.to_owned(), why.to_owned())
}

#[tokio::test]
async fn an_event_becomes_a_passage_with_its_worker_and_area_and_is_told() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let worker = bed.worker("face_1", ContractorId::new()).await;
    let answer = door.report(&[event(1, "face_1", "PASS")]).await;
    assert_eq!(outcomes(&answer), [said(1, "accepted", "")]);
    assert_eq!(answer["missing"], json!([]));
    let passage = bed.all_passages().await.remove(0);
    assert_eq!(answer["outcomes"][0]["passage_id"], passage.passage_id.as_str());
    assert_eq!(passage.worker_id, worker.to_string());
    assert_eq!(passage.area_id, bed.area.to_string());
    assert_eq!((passage.direction.as_str(), passage.result.as_str()), ("IN", "PASS"));
    assert_eq!((passage.reason_code.as_str(), passage.version), ("", 1));
    assert_eq!(bed.facts::<PassageRecorded>().await, [PassageRecorded { passage: Some(passage) }]);
    bed.harness.stop().await;
}

#[tokio::test]
async fn the_same_event_twice_is_one_passage_and_another_under_its_number_is_refused() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let first = door.report(&[event(1, "face_1", "PASS")]).await;
    let again = door.report(&[event(1, "face_1", "PASS"), event(1, "face_2", "PASS")]).await;
    assert_eq!(
        outcomes(&again),
        [said(1, "duplicate", ""), said(1, "rejected", "sequence reused")]
    );
    assert_eq!(again["outcomes"][0]["passage_id"], first["outcomes"][0]["passage_id"]);
    assert_eq!(bed.all_passages().await.len(), 1);
    assert_eq!(bed.facts::<PassageRecorded>().await.len(), 1);
    // Numbers are each device's own.
    let other = bed.door("dev_02").await;
    assert_eq!(
        outcomes(&other.report(&[event(1, "face_2", "PASS")]).await),
        [said(1, "accepted", "")]
    );
    bed.harness.stop().await;
}

#[tokio::test]
async fn the_same_batch_many_times_at_once_is_kept_once() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    for round in 0..10 {
        let batch: Vec<Value> =
            (1..=50).map(|seq| event(round * 50 + seq, "face_1", "PASS")).collect();
        let answers = futures::future::join_all((0..4).map(|_| door.report(&batch))).await;
        let outcomes = answers.iter().flat_map(outcomes);
        let accepted = outcomes.filter(|(_, outcome, _)| outcome == "accepted").count();
        assert_eq!(accepted, 50);
    }
    assert_eq!(bed.facts::<PassageRecorded>().await.len(), 500);
    bed.harness.stop().await;
}

#[tokio::test]
async fn the_table_itself_refuses_a_second_row_for_one_event() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    door.report(&[event(1, "face_1", "PASS")]).await;
    let second = sqlx::query(
        "INSERT INTO device.passages SELECT gen_random_uuid(), site_id, device_id, area_id, seq, delivery, event_time,
             corrected_time, received_at, face_id, worker_id, direction, result, reported_reason, reason_code
         FROM device.passages",
    );
    let refused = second.execute(&bed.harness.database.admin()).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().constraint(), Some("passages_event"));
    bed.harness.stop().await;
}

#[tokio::test]
async fn bad_events_do_not_spoil_the_batch() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let mut nowhere = event(3, "face_1", "PASS");
    nowhere["direction"] = json!("UP");
    let batch = [
        event(1, "face_1", "PASS"),
        event_at("yesterday", 2, "face_1", "PASS"),
        nowhere,
        event(0, "face_1", "PASS"),
        json!("not an event"),
        json!({"seq": 5, "event_time": 5}),
        event(6, "a face", "PASS"),
        event(7, "", "DENY"),
    ];
    let answer = door.report(&batch).await;
    let expected = [
        said(1, "accepted", ""),
        said(2, "rejected", "event_time is missing or no instant"),
        said(3, "rejected", "direction is neither IN nor OUT"),
        said(0, "rejected", "seq is missing or no number from 1 to 9223372036854775807"),
        said(0, "rejected", "seq is missing or no number from 1 to 9223372036854775807"),
        said(5, "rejected", "not an event"),
        said(6, "rejected", "face_id is not 1 to 64 visible ASCII characters"),
        said(7, "accepted", ""),
    ];
    assert_eq!(outcomes(&answer), expected);
    assert_eq!(answer["missing"], json!([{"from": 4, "to": 4}]));
    assert_eq!(bed.all_passages().await.len(), 2);
    let many: Vec<Value> = (1..=501).map(|seq| event(seq, "face_1", "PASS")).collect();
    let refused = door.post("events", &json!({"events": many})).await;
    assert_eq!(
        (refused.code(), refused.body["data"]["fields"][0]["field"].as_str()),
        (40001, Some("events"))
    );
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_gap_is_asked_for_until_it_is_filled_in_whatever_order_and_however_late() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let report = async |seqs: &[u64]| {
        let batch: Vec<Value> = seqs.iter().map(|seq| event(*seq, "face_1", "PASS")).collect();
        door.report(&batch).await["missing"].clone()
    };
    assert_eq!(report(&[1, 2]).await, json!([]));
    assert_eq!(report(&[9, 6]).await, json!([{"from": 3, "to": 5}, {"from": 7, "to": 8}]));
    bed.harness.shell.clock.advance(TimeDelta::hours(5));
    assert_eq!(report(&[4, 8, 7]).await, json!([{"from": 3, "to": 3}, {"from": 5, "to": 5}]));
    assert_eq!(report(&[5, 3]).await, json!([]));
    let passages = bed.all_passages().await;
    assert_eq!(passages.len(), 9);
    let lateness = |seq: u64| {
        let passage = passages.iter().find(|passage| passage.seq == seq).unwrap();
        proto::instant(passage.received_at.as_ref()).unwrap()
            - proto::instant(passage.event_time.as_ref()).unwrap()
    };
    assert_eq!((lateness(1), lateness(4)), (TimeDelta::zero(), TimeDelta::hours(5)));
    bed.harness.stop().await;
}

#[tokio::test]
async fn an_unknown_face_is_a_passage_of_nobody() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    door.report(&[event(1, "face_of_nobody", "DENY")]).await;
    let passage = bed.all_passages().await.remove(0);
    assert_eq!((passage.face_id.as_str(), passage.worker_id.as_str()), ("face_of_nobody", ""));
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_face_is_the_newest_version_s_whatever_order_the_facts_come_in() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let worker = bed.worker("face_old", ContractorId::new()).await;
    bed.deliver(&FollowWorkers, &worker_changed(worker, "face_new", &[], 3)).await;
    bed.deliver(&FollowWorkers, &worker_changed(worker, "face_old", &[], 2)).await;
    door.report(&[event(1, "face_old", "PASS"), event(2, "face_new", "PASS")]).await;
    let mut passages = bed.all_passages().await;
    passages.sort_by_key(|passage| passage.seq);
    let workers: Vec<&str> = passages.iter().map(|passage| passage.worker_id.as_str()).collect();
    assert_eq!(workers, ["", worker.to_string().as_str()]);
    bed.harness.stop().await;
}
