use proto::common::v1::CommandAudited;
use proto::ticket::v1::{CreateTicketRequest, TicketPublished};
use types::{AreaId, ContractorId, ErrorCode, SiteId};

use crate::world::{World, code, days, names};

#[tokio::test]
async fn creating_publishes_the_whole_ticket() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;

    assert_eq!(world.facts().await, ["TicketPublished", "CommandAudited"]);
    let published: TicketPublished = world.fact("TicketPublished").await;
    let ticket = published.ticket.unwrap();
    assert_eq!(ticket, world.ticket(&id).await);
    assert_eq!((ticket.status.as_str(), ticket.version), ("ACTIVE", 1));
    assert_eq!(ticket.site_id, world.site.to_string());
    assert_eq!(ticket.worker_ids, world.workers.map(|id| id.to_string()));
    assert_eq!(ticket.area_ids, [world.area.to_string()]);
    assert_eq!(ticket.video_ids, [world.video.to_string()]);
    assert_eq!(
        (ticket.access_start_time.as_str(), ticket.access_end_time.as_str()),
        ("06:00", "20:00")
    );
    assert_eq!((ticket.time_zone.as_str(), ticket.video_rule.as_str()), ("Asia/Shanghai", "ALL"));
    assert!(ticket.publish_now && ticket.daily_reminder);
    assert_eq!(published.published_by, world.admin.subject.to_string());
}

#[tokio::test]
async fn today_is_in_progress_at_once_and_its_deadline_leaves_an_hour_and_a_half() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let ticket = world.ticket(&id).await;
    assert_eq!(days(&ticket), ["IN_PROGRESS", "PUBLISHED", "PUBLISHED"]);
    let deadline = |day: usize| proto::instant(ticket.daily_tickets[day].deadline_at.as_ref());
    assert_eq!(deadline(0).unwrap().to_rfc3339(), "2026-03-02T01:30:00+00:00");
    assert_eq!(deadline(1).unwrap().to_rfc3339(), "2026-03-02T23:30:00+00:00");
}

#[tokio::test]
async fn a_sites_own_defaults_are_copied_into_the_ticket() {
    let world = World::new().await;
    let set = |publish_now, daily_reminder, night, late| {
        let settings = &mut world.peers.lock().unwrap().settings;
        settings.publish_now = publish_now;
        settings.daily_reminder = daily_reminder;
        (settings.night_deadline_minutes, settings.late_deadline_minutes) = (night, late);
    };
    set(Some(false), Some(false), 60, 45);
    let id = world.created(world.three_days()).await;
    let night = CreateTicketRequest {
        access_start_time: "20:00".to_owned(),
        access_end_time: "04:30".to_owned(),
        ..world.three_days()
    };
    let night = world.created(night).await;
    set(None, None, 0, 0);
    let ticket = world.ticket(&id).await;
    assert!(!ticket.publish_now && !ticket.daily_reminder);
    let today = proto::instant(ticket.daily_tickets[0].deadline_at.as_ref()).unwrap();
    assert_eq!(today.to_rfc3339(), "2026-03-02T00:45:00+00:00", "published at eight");
    assert_eq!(world.ticket(&night).await.training_deadline_time, "19:00");
}

#[tokio::test]
async fn what_the_request_gives_stands_before_the_sites_defaults() {
    let world = World::new().await;
    let request = CreateTicketRequest {
        access_start_time: "20:00".to_owned(),
        access_end_time: "04:30".to_owned(),
        training_deadline_time: "18:15".to_owned(),
        video_rule: "ANY".to_owned(),
        publish_now: Some(false),
        daily_reminder: Some(false),
        remark: " 注意防火 ".to_owned(),
        ..world.three_days()
    };
    let id = world.created(request).await;
    let ticket = world.ticket(&id).await;
    assert_eq!(ticket.training_deadline_time, "18:15");
    assert_eq!((ticket.video_rule.as_str(), ticket.remark.as_str()), ("ANY", "注意防火"));
    assert!(!ticket.publish_now && !ticket.daily_reminder);
    assert_eq!(ticket.status, "ACTIVE");
    let day = &ticket.daily_tickets[2];
    assert_eq!(day.expires_at, day.access_end_at);
    let end = proto::instant(day.access_end_at.as_ref()).unwrap();
    assert_eq!(end.to_rfc3339(), "2026-03-04T20:30:00+00:00");
}

#[tokio::test]
async fn a_command_leaves_its_record() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let audited: CommandAudited = world.fact("CommandAudited").await;
    assert_eq!(audited.action, "ticket.create");
    assert_eq!((audited.target_type.as_str(), audited.target_id), ("work_ticket", id));
    assert_eq!(audited.actor, world.admin.subject.to_string());
    assert_eq!(audited.site_id, world.site.to_string());
    assert!(audited.after.contains("\"status\":\"ACTIVE\""), "{}", audited.after);
}

#[tokio::test]
async fn a_draft_is_told_to_nobody() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    assert_eq!(world.facts().await, ["CommandAudited"]);
    let ticket = world.ticket(&id).await;
    assert_eq!(ticket.status, "DRAFT");
    assert_eq!(days(&ticket), ["DRAFT"; 3]);
    assert_eq!(ticket.published_at, None);
}

#[tokio::test]
async fn unbound_workers_are_allowed_and_named() {
    let world = World::new().await;
    let unbound = world.workers[1].to_string();
    world.peers.lock().unwrap().unbound.insert(unbound.clone());
    let yesterday = world.harness.now() - chrono::TimeDelta::days(1);
    world.peers.lock().unwrap().roster_synced_at = Some(yesterday);
    let answer = world.create(&world.admin, world.three_days()).await.unwrap();
    assert_eq!(answer.unbound_worker_ids, [unbound]);
    let synced_at = proto::instant(answer.roster_synced_at.as_ref());
    assert_eq!(synced_at, Some(yesterday), "by a roster of yesterday");
    let ticket = world.ticket(&answer.ticket_id).await;
    let day = &ticket.daily_tickets[0].daily_ticket_id;
    let workers = world.daily(&world.admin, day).await.unwrap().workers;
    let bound: Vec<bool> = workers.iter().map(|worker| worker.bound).collect();
    assert_eq!(bound, [true, false]);
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let world = World::new().await;
    let (area, worker) = (AreaId::new().to_string(), world.workers[1].to_string());
    {
        let mut known = world.peers.lock().unwrap();
        known.unknown.extend([area.clone(), worker.clone(), world.video.to_string()]);
        known.contractor_on_site = false;
    }
    let request = CreateTicketRequest {
        title: " ".to_owned(),
        start_date: "2026-03-01".to_owned(),
        end_date: "2026-02-28".to_owned(),
        access_start_time: "6:00".to_owned(),
        training_deadline_time: "noon".to_owned(),
        video_rule: "SOME".to_owned(),
        area_ids: vec![world.area.to_string(), area, "x".to_owned()],
        worker_ids: vec![
            world.workers[0].to_string(),
            worker.clone(),
            world.workers[0].to_string(),
        ],
        ..world.three_days()
    };
    let refusal = world.create(&world.admin, request).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::ValidationFailed);
    let wanted = [
        "title",
        "access_start_time",
        "training_deadline_time",
        "video_rule",
        "area_ids[2]",
        "worker_ids[2]",
        "contractor_id",
        "start_date",
        "end_date",
        "area_ids[1]",
        "worker_ids[1]",
        "video_ids[0]",
    ];
    assert_eq!(names(&refusal), wanted);
    assert_eq!(world.count("work_tickets").await, 0);
    assert!(world.facts().await.is_empty());
}

#[tokio::test]
async fn an_empty_request_names_everything_that_is_required() {
    let world = World::new().await;
    let refusal = world.create(&world.admin, CreateTicketRequest::default()).await.unwrap_err();
    let wanted = [
        "title",
        "site_id",
        "contractor_id",
        "start_date",
        "end_date",
        "area_ids",
        "worker_ids",
        "video_ids",
    ];
    assert_eq!(names(&refusal), wanted);
}

#[tokio::test]
async fn the_sites_own_span_and_today_count() {
    let world = World::new().await;
    {
        let mut known = world.peers.lock().unwrap();
        known.settings.max_span_days = 2;
        // 1 March, 16:00 there.
        known.time_zone = "Pacific/Honolulu";
    }
    let refusal = world.create(&world.admin, world.three_days()).await.unwrap_err();
    assert_eq!(names(&refusal), ["end_date"]);
    let request = CreateTicketRequest {
        start_date: "2026-03-01".to_owned(),
        end_date: "2026-03-02".to_owned(),
        ..world.three_days()
    };
    assert!(world.create(&world.admin, request).await.is_ok());
}

#[tokio::test]
async fn another_site_or_contractor_is_not_there_and_nobody_is_asked() {
    let world = World::new().await;
    let elsewhere =
        CreateTicketRequest { site_id: SiteId::new().to_string(), ..world.three_days() };
    assert_eq!(code(world.create(&world.admin, elsewhere).await), ErrorCode::NotFound);
    let anothers = CreateTicketRequest {
        contractor_id: ContractorId::new().to_string(),
        ..world.three_days()
    };
    assert_eq!(code(world.create(&world.admin, anothers).await), ErrorCode::NotFound);
    assert!(world.peers.lock().unwrap().asked_by.is_empty());
}

#[tokio::test]
async fn the_owners_are_asked_on_behalf_of_the_caller() {
    let world = World::new().await;
    world.created(world.three_days()).await;
    let caller = world.admin.subject.to_string();
    assert_eq!(world.peers.lock().unwrap().asked_by, [caller.clone(), caller]);
}

#[tokio::test]
async fn without_the_owners_answer_nothing_is_made() {
    let world = World::new().await;
    world.peers.lock().unwrap().away = true;
    let refused = world.create(&world.admin, world.three_days()).await;
    assert_eq!(code(refused), ErrorCode::UpstreamUnavailable);
    assert_eq!(world.count("work_tickets").await, 0);
    let bad = CreateTicketRequest { title: String::new(), ..world.three_days() };
    let refusal = world.create(&world.admin, bad).await.unwrap_err();
    assert_eq!(names(&refusal), ["title"]);
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_whatever_has_changed() {
    let world = World::new().await;
    let first = world.create_with_key("k-1", world.three_days()).await.unwrap();
    world.peers.lock().unwrap().away = true;
    world.harness.shell.clock.advance(chrono::TimeDelta::days(9));
    let again = world.create_with_key("k-1", world.three_days()).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(world.count("work_tickets").await, 1);
    assert_eq!(world.facts().await, ["TicketPublished", "CommandAudited"]);
}

#[tokio::test]
async fn the_same_key_for_another_request_is_refused() {
    let world = World::new().await;
    world.create_with_key("k-1", world.three_days()).await.unwrap();
    let other = CreateTicketRequest { title: "2#楼".to_owned(), ..world.three_days() };
    let refused = world.create_with_key("k-1", other).await;
    assert_eq!(code(refused), ErrorCode::IdempotencyKeyReused);
    assert_eq!(world.count("work_tickets").await, 1);
}

#[tokio::test]
async fn the_same_key_fifty_times_at_once_makes_one_ticket() {
    let world = World::new().await;
    let calls = (0..50).map(|_| world.create_with_key("k-1", world.three_days()));
    let answers = futures::future::join_all(calls).await;
    let first = answers[0].clone().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(&first)));
    assert_eq!(world.count("work_tickets").await, 1);
    assert_eq!(world.facts().await, ["TicketPublished", "CommandAudited"]);
}

#[tokio::test]
async fn a_refused_request_does_not_use_up_its_key() {
    let world = World::new().await;
    world.peers.lock().unwrap().away = true;
    assert!(world.create_with_key("k-1", world.three_days()).await.is_err());
    assert_eq!(world.count("idempotency_keys").await, 0);
    world.peers.lock().unwrap().away = false;
    assert!(world.create_with_key("k-1", world.three_days()).await.is_ok());
}
