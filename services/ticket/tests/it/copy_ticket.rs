use proto::ticket::v1::{CopyTicketRequest, CreateTicketRequest};
use types::{ContractorId, ErrorCode};

use crate::world::{World, code, days, names};

fn from_the_ninth(ticket_id: &str) -> CopyTicketRequest {
    CopyTicketRequest {
        ticket_id: ticket_id.to_owned(),
        start_date: "2026-03-09".to_owned(),
        ..CopyTicketRequest::default()
    }
}

#[tokio::test]
async fn a_copy_is_a_draft_of_the_same_terms_for_other_dates() {
    let world = World::new().await;
    let night = CreateTicketRequest {
        access_start_time: "20:00".to_owned(),
        access_end_time: "04:30".to_owned(),
        training_deadline_time: "18:15".to_owned(),
        video_rule: "ANY".to_owned(),
        publish_now: Some(false),
        remark: "注意防火".to_owned(),
        ..world.three_days()
    };
    let id = world.created(night).await;
    let copied = world.copy(&world.admin, None, from_the_ninth(&id)).await.unwrap();
    let (original, copy) = (world.ticket(&id).await, world.ticket(&copied.ticket_id).await);
    assert_eq!((copy.status.as_str(), days(&copy)), ("DRAFT", vec!["DRAFT"; 3]));
    let range = (copy.start_date.as_str(), copy.end_date.as_str());
    assert_eq!(range, ("2026-03-09", "2026-03-11"));
    let terms = |of: &proto::ticket::v1::Ticket| {
        let lists = (of.area_ids.clone(), of.worker_ids.clone(), of.video_ids.clone());
        let times = (of.access_start_time.clone(), of.access_end_time.clone());
        let texts = (of.title.clone(), of.remark.clone(), of.training_deadline_time.clone());
        (lists, times, texts, of.video_rule.clone(), of.publish_now)
    };
    assert_eq!(terms(&copy), terms(&original));
    assert_eq!(copy.created_by, world.admin.subject.to_string());
}

#[tokio::test]
async fn a_cancelled_ticket_may_be_copied_under_another_title() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.cancel(&world.admin, &id, "rain").await.unwrap();
    let copy = CopyTicketRequest {
        title: "2#楼".to_owned(),
        end_date: "2026-03-09".to_owned(),
        ..from_the_ninth(&id)
    };
    let copied = world.copy(&world.admin, None, copy).await.unwrap();
    let copy = world.ticket(&copied.ticket_id).await;
    assert_eq!((copy.title.as_str(), copy.daily_tickets.len()), ("2#楼", 1));
}

#[tokio::test]
async fn what_is_no_longer_there_is_left_out_and_told() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let gone = world.workers[0].to_string();
    world.peers.lock().unwrap().unknown.insert(gone.clone());
    let copied = world.copy(&world.admin, None, from_the_ninth(&id)).await.unwrap();
    let left_out: Vec<&str> = copied
        .warnings
        .iter()
        .filter(|warning| warning.code == "LEFT_OUT")
        .map(|warning| warning.worker_id.as_str())
        .collect();
    assert_eq!(left_out, [gone]);
    let copy = world.ticket(&copied.ticket_id).await;
    assert_eq!(copy.worker_ids, [world.workers[1].to_string()]);
    // Without anybody it is no ticket.
    world.peers.lock().unwrap().unknown.insert(world.workers[1].to_string());
    let refusal = world.copy(&world.admin, None, from_the_ninth(&id)).await.unwrap_err();
    assert_eq!(names(&refusal), ["worker_ids"]);
}

#[tokio::test]
async fn the_same_key_gets_the_same_copy() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let first = world.copy(&world.admin, Some("k-1"), from_the_ninth(&id)).await.unwrap();
    world.peers.lock().unwrap().away = true;
    let again = world.copy(&world.admin, Some("k-1"), from_the_ninth(&id)).await.unwrap();
    assert_eq!((first, world.count("work_tickets").await), (again, 2));
    let other = CopyTicketRequest { title: "2#楼".to_owned(), ..from_the_ninth(&id) };
    let refused = world.copy(&world.admin, Some("k-1"), other).await;
    assert_eq!(code(refused), ErrorCode::IdempotencyKeyReused);
}

#[tokio::test]
async fn every_bad_field_is_named_and_anothers_ticket_is_not_there() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let bad = CopyTicketRequest {
        start_date: String::new(),
        end_date: "soon".to_owned(),
        title: "字".repeat(101),
        ..from_the_ninth(&id)
    };
    let refusal = world.copy(&world.admin, None, bad).await.unwrap_err();
    assert_eq!(names(&refusal), ["start_date", "end_date", "title"]);
    let past = CopyTicketRequest { start_date: "2026-03-01".to_owned(), ..from_the_ninth(&id) };
    assert_eq!(names(&world.copy(&world.admin, None, past).await.unwrap_err()), ["start_date"]);
    let another = world.harness.contractor_admin(world.site, ContractorId::new());
    let refused = world.copy(&another, None, from_the_ninth(&id)).await;
    assert_eq!(code(refused), ErrorCode::NotFound);
}
