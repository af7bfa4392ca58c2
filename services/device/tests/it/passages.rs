use chrono::TimeDelta;
use device::FollowExplanations;
use proto::access_grant::v1::PassageExplained;
use proto::device::v1::{ListPassagesRequest, Passage};
use types::{ContractorId, ErrorCode, PassageId, SiteId};

use crate::bed::{Bed, code, event, event_at};

fn of_site(bed: &Bed) -> ListPassagesRequest {
    ListPassagesRequest { site_id: bed.site.to_string(), ..ListPassagesRequest::default() }
}

fn explained(bed: &Bed, passage: &str, reason: &str) -> PassageExplained {
    PassageExplained {
        site_id: bed.site.to_string(),
        passage_id: passage.to_owned(),
        reason_code: reason.to_owned(),
        detail: "finished after the deadline".to_owned(),
        failing: Vec::new(),
        as_of: Some(proto::timestamp(bed.now())),
    }
}

fn why(passage: &Passage) -> (&str, &str, &str, u64) {
    (&passage.reason_code, &passage.reason_source, &passage.detail, passage.version)
}

#[tokio::test]
async fn a_known_reported_reason_is_taken_and_any_other_refusal_waits_for_its_explanation() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let mut batch = [
        event(1, "f", "DENY"),
        event(2, "f", "DENY"),
        event(3, "f", "DENY"),
        event(4, "f", "PASS"),
    ];
    batch[0]["reason_code"] = "OUT_OF_TIME_WINDOW".into();
    batch[1]["reason_code"] = "E17".into();
    door.report(&batch).await;
    let mut passages = bed.all_passages().await;
    passages.sort_by_key(|passage| passage.seq);
    assert_eq!(why(&passages[0]), ("OUT_OF_TIME_WINDOW", "REPORTED", "", 1));
    for passage in &passages[1..] {
        assert_eq!(why(passage), ("", "", "", 1));
    }
    assert_eq!(passages[1].reported_reason_code, "E17");

    for passage in &passages {
        let explanation = explained(&bed, &passage.passage_id, "TRAINING_INCOMPLETE");
        bed.deliver(&FollowExplanations, &explanation).await;
        // Again, and otherwise: the first stays.
        bed.deliver(&FollowExplanations, &explained(&bed, &passage.passage_id, "SYNC_PENDING"))
            .await;
    }
    let mut passages = bed.all_passages().await;
    passages.sort_by_key(|passage| passage.seq);
    let computed = ("TRAINING_INCOMPLETE", "COMPUTED", "finished after the deadline", 2);
    assert_eq!(why(&passages[0]), ("OUT_OF_TIME_WINDOW", "REPORTED", "", 1));
    assert_eq!(why(&passages[1]), computed);
    assert_eq!(why(&passages[2]), computed);
    assert_eq!(why(&passages[3]), ("", "", "", 1));

    let by_reason =
        |reason: &str| ListPassagesRequest { reason_code: reason.to_owned(), ..of_site(&bed) };
    assert_eq!(bed.passages(by_reason("TRAINING_INCOMPLETE")).await.0.len(), 2);
    assert_eq!(bed.passages(by_reason("OUT_OF_TIME_WINDOW")).await.0.len(), 1);
    assert_eq!(bed.passages(by_reason("SYNC_PENDING")).await.0.len(), 0);
    bed.harness.stop().await;
}

#[tokio::test]
async fn an_explanation_that_comes_before_its_passage_is_kept_for_it() {
    let bed = Bed::new().await;
    bed.door("dev_01").await;
    let passage = PassageId::new();
    bed.deliver(&FollowExplanations, &explained(&bed, &passage.to_string(), "NOT_IN_TICKET")).await;
    assert!(bed.all_passages().await.is_empty());
    sqlx::query(
        "INSERT INTO device.passages (passage_id, site_id, device_id, area_id, seq, delivery, event_time,
             corrected_time, received_at, direction, result, reported_reason)
         VALUES ($1, $2, 'dev_01', $3, 1, '', $4, $4, $4, 'IN', 'DENY', '')",
    )
    .bind(passage.as_uuid())
    .bind(bed.site.as_uuid())
    .bind(bed.area.as_uuid())
    .bind(bed.now())
    .execute(&bed.harness.database.admin())
    .await
    .unwrap();
    let passages = bed.all_passages().await;
    assert_eq!(why(&passages[0]), ("NOT_IN_TICKET", "COMPUTED", "finished after the deadline", 2));
    bed.harness.stop().await;
}

#[tokio::test]
async fn an_explanation_of_no_known_reason_is_parked() {
    let bed = Bed::new().await;
    let bad = explained(&bed, &PassageId::new().to_string(), "BECAUSE");
    let failed =
        events::deliver(&bed.store, &FollowExplanations, &events::testing::delivery(&bad)).await;
    assert_eq!(failed, Err(events::Failure::Park("reason_code cannot be read".to_owned())));
    bed.harness.stop().await;
}

#[tokio::test]
async fn passages_are_paged_newest_first_and_late_ones_take_their_place() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    bed.harness.shell.clock.advance(TimeDelta::hours(1));
    let batch: Vec<_> = (1..=7)
        .map(|seq| {
            event_at(&format!("2026-03-02T00:0{}:00Z", (seq * 3) % 7), seq, "face_1", "PASS")
        })
        .collect();
    door.report(&batch).await;
    // Two at the same instant fall on both sides of a page's end.
    door.report(&[event_at("2026-03-02T00:03:00Z", 8, "face_1", "PASS")]).await;
    let mut cursor = String::new();
    let mut seen: Vec<Passage> = Vec::new();
    loop {
        let (page, next) =
            bed.passages(ListPassagesRequest { limit: 3, cursor, ..of_site(&bed) }).await;
        assert!(page.len() <= 3);
        seen.extend(page);
        cursor = next;
        if cursor.is_empty() {
            break;
        }
    }
    let at = |passage: &Passage| proto::instant(passage.corrected_time.as_ref()).unwrap();
    assert!(
        seen.is_sorted_by(|one, next| (at(one), &one.passage_id) > (at(next), &next.passage_id))
    );
    let mut seqs: Vec<u64> = seen.iter().map(|passage| passage.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=8).collect::<Vec<_>>());
    bed.harness.stop().await;
}

#[tokio::test]
async fn passages_are_found_by_what_is_known_of_them() {
    let bed = Bed::new().await;
    let (one, two) = (bed.door("dev_01").await, bed.door("dev_02").await);
    let worker = bed.worker("face_1", ContractorId::new()).await;
    bed.harness.shell.clock.advance(TimeDelta::hours(1));
    one.report(&[
        event(1, "face_1", "PASS"),
        event_at("2026-03-02T00:30:00Z", 2, "face_2", "DENY"),
    ])
    .await;
    two.report(&[event(1, "face_2", "PASS")]).await;
    let found = async |request: ListPassagesRequest| bed.passages(request).await.0.len();
    assert_eq!(found(of_site(&bed)).await, 3);
    assert_eq!(
        found(ListPassagesRequest { worker_id: worker.to_string(), ..of_site(&bed) }).await,
        1
    );
    assert_eq!(
        found(ListPassagesRequest { device_id: "dev_02".to_owned(), ..of_site(&bed) }).await,
        1
    );
    assert_eq!(found(ListPassagesRequest { result: "DENY".to_owned(), ..of_site(&bed) }).await, 1);
    assert_eq!(
        found(ListPassagesRequest { area_id: bed.area.to_string(), ..of_site(&bed) }).await,
        3
    );
    let half_past = Some(proto::timestamp(bed.now() - TimeDelta::minutes(30)));
    assert_eq!(found(ListPassagesRequest { from: half_past, ..of_site(&bed) }).await, 1);
    assert_eq!(found(ListPassagesRequest { to: half_past, ..of_site(&bed) }).await, 2);
    assert_eq!(found(ListPassagesRequest::default()).await, 3);
    let request = ListPassagesRequest {
        result: "MAYBE".to_owned(),
        reason_code: "BECAUSE".to_owned(),
        daily_ticket_id: "x".to_owned(),
        limit: 201,
        cursor: "here".to_owned(),
        ..of_site(&bed)
    };
    let refused = bed
        .client
        .clone()
        .list_passages(bed.harness.request(&bed.admin, request))
        .await
        .unwrap_err();
    let fields = service::Refusal::from_status(&refused).fields;
    let named: Vec<&str> = fields.iter().map(|bad| bad.field.as_str()).collect();
    assert_eq!(named, ["result", "reason_code", "daily_ticket_id", "limit", "cursor"]);
    bed.harness.stop().await;
}

#[tokio::test]
async fn nobody_sees_another_site_s_passages_nor_a_contractor_another_s_workers() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let (ours, theirs) = (ContractorId::new(), ContractorId::new());
    let worker = bed.worker("face_ours", ours).await;
    bed.worker("face_theirs", theirs).await;
    door.report(&[
        event(1, "face_ours", "PASS"),
        event(2, "face_theirs", "PASS"),
        event(3, "", "DENY"),
    ])
    .await;

    let contractor = bed.harness.contractor_admin(bed.site, ours);
    let (seen, _) = bed.passages_for(&contractor, of_site(&bed)).await;
    let workers: Vec<&str> = seen.iter().map(|passage| passage.worker_id.as_str()).collect();
    assert_eq!(workers, [worker.to_string().as_str()]);

    let elsewhere = bed.harness.sysadmin(&[SiteId::new()]);
    assert_eq!(bed.passages_for(&elsewhere, ListPassagesRequest::default()).await.0.len(), 0);
    let request = bed.harness.request(&elsewhere, of_site(&bed));
    assert_eq!(
        code(&bed.client.clone().list_passages(request).await.unwrap_err()),
        ErrorCode::NotFound
    );
    bed.harness.stop().await;
}
