use auth::Caller;
use chrono::{DateTime, Utc};
use proto::device::v1::{EventOutcome, RecordVendorEventsRequest, ReportedEvent};
use tonic::Status;
use types::{DeviceId, ErrorCode, WorkerId};

use crate::bed::{Bed, code};

fn reported(seq: u64, at: DateTime<Utc>) -> ReportedEvent {
    ReportedEvent {
        seq,
        event_time: Some(proto::timestamp(at)),
        face_id: "face_1".to_owned(),
        direction: "IN".to_owned(),
        result: "PASS".to_owned(),
        reason_code: String::new(),
    }
}

fn delivered(id: &str, events: Vec<ReportedEvent>) -> RecordVendorEventsRequest {
    RecordVendorEventsRequest { device_id: "dev_01".to_owned(), events, delivery_id: id.to_owned() }
}

async fn record(
    bed: &Bed,
    caller: &Caller,
    request: RecordVendorEventsRequest,
) -> Result<Vec<EventOutcome>, Status> {
    let request = bed.harness.request(caller, request);
    Ok(bed.client.clone().record_vendor_events(request).await?.into_inner().outcomes)
}

#[tokio::test]
async fn a_vendor_without_numbers_is_known_by_its_deliveries() {
    let bed = Bed::new().await;
    bed.door("dev_01").await;
    let gateway = Caller::service("gateway");
    let events = vec![reported(0, bed.now()), reported(0, bed.now())];
    let first = record(&bed, &gateway, delivered("msg_1", events.clone())).await.unwrap();
    let again = record(&bed, &gateway, delivered("msg_1", events.clone())).await.unwrap();
    let next = record(&bed, &gateway, delivered("msg_2", events)).await.unwrap();
    let outcomes =
        |answer: &[EventOutcome]| answer.iter().map(|one| one.outcome.clone()).collect::<Vec<_>>();
    assert_eq!(outcomes(&first), ["accepted", "accepted"]);
    assert_eq!(outcomes(&again), ["duplicate", "duplicate"]);
    assert_eq!(outcomes(&next), ["accepted", "accepted"]);
    assert_eq!(first[0].passage_id, again[0].passage_id);
    assert_eq!(bed.all_passages().await.len(), 4);
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_vendor_s_number_is_the_device_s_own_whoever_reports_it() {
    let bed = Bed::new().await;
    let door = bed.door("dev_01").await;
    let first =
        record(&bed, &Caller::service("gateway"), delivered("", vec![reported(1, bed.now())]))
            .await
            .unwrap();
    let answer = door.report(&[crate::bed::event(1, "face_1", "PASS")]).await;
    assert_eq!(answer["outcomes"][0]["outcome"], "duplicate");
    assert_eq!(answer["outcomes"][0]["passage_id"], first[0].passage_id.as_str());
    bed.harness.stop().await;
}

#[tokio::test]
async fn a_door_nobody_registered_is_not_found_and_what_does_not_fit_is_named() {
    let bed = Bed::new().await;
    let gateway = Caller::service("gateway");
    let unknown =
        record(&bed, &gateway, delivered("msg_1", vec![reported(0, bed.now())])).await.unwrap_err();
    assert_eq!(code(&unknown), ErrorCode::NotFound);
    let request = RecordVendorEventsRequest {
        device_id: String::new(),
        events: vec![reported(0, bed.now())],
        delivery_id: String::new(),
    };
    let refused = record(&bed, &gateway, request).await.unwrap_err();
    let fields = service::Refusal::from_status(&refused).fields;
    let named: Vec<&str> = fields.iter().map(|bad| bad.field.as_str()).collect();
    assert_eq!(named, ["device_id", "delivery_id"]);
    bed.harness.stop().await;
}

#[tokio::test]
async fn only_a_service_may_report_for_a_door() {
    let bed = Bed::new().await;
    bed.door("dev_01").await;
    let callers = [
        bed.admin.clone(),
        Caller::worker(WorkerId::new(), vec![bed.site]),
        Caller::device(DeviceId::parse("dev_01").unwrap(), bed.site),
    ];
    let message = || delivered("m", vec![reported(0, bed.now())]);
    for caller in callers {
        let refused = record(&bed, &caller, message()).await.unwrap_err();
        assert_eq!(code(&refused), ErrorCode::PermissionDenied);
    }
    let refused = record(&bed, &Caller::anonymous(), message()).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::NotSignedIn);
    assert!(bed.all_passages().await.is_empty());
    bed.harness.stop().await;
}
