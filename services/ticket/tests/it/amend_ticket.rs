use proto::common::v1::CommandAudited;
use proto::ticket::v1::{AmendTicketRequest, CreateTicketRequest, Ids, TicketAmended};
use types::{AreaId, ContractorId, ErrorCode, VideoId, WorkerId};

use crate::peers::MOST_WORKERS;
use crate::world::{World, code, days, names};

#[expect(clippy::unnecessary_wraps, reason = "as the request has it")]
fn ids(ids: &[String]) -> Option<Ids> {
    Some(Ids { ids: ids.to_vec() })
}

#[tokio::test]
async fn amending_tells_the_whole_ticket_and_counts_one_edit() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let amendment = AmendTicketRequest {
        remark: Some(" 注意防火 ".to_owned()),
        access_start_time: Some("07:00".to_owned()),
        access_end_time: Some("21:00".to_owned()),
        training_deadline_time: Some("10:30".to_owned()),
        ..world.amendment(&id).await
    };
    let answer = world.amend(&world.admin, amendment).await.unwrap();
    assert_eq!(answer.revision, 2);
    let ticket = world.ticket(&id).await;
    assert_eq!((ticket.revision, ticket.version), (2, 2));
    assert_eq!((ticket.remark.as_str(), ticket.access_start_time.as_str()), ("注意防火", "07:00"));
    let deadline = proto::instant(ticket.daily_tickets[1].deadline_at.as_ref()).unwrap();
    assert_eq!(deadline.to_rfc3339(), "2026-03-03T02:30:00+00:00");
    let told: TicketAmended = world.fact("TicketAmended").await;
    assert_eq!(told.ticket, Some(ticket));
    assert_eq!(told.amended_by, world.admin.subject.to_string());
    assert_eq!(told.reason, "暴雨");
}

#[tokio::test]
async fn it_is_audited_with_before_and_after_of_what_changed() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let amendment = AmendTicketRequest {
        training_deadline_time: Some("10:30".to_owned()),
        ..world.amendment(&id).await
    };
    world.amend(&world.admin, amendment).await.unwrap();
    let audited: CommandAudited = world.fact("CommandAudited").await;
    assert_eq!((audited.action.as_str(), audited.reason.as_str()), ("ticket.amend", "暴雨"));
    assert_eq!(audited.before, r#"{"training_deadline_time":"07:30"}"#);
    assert_eq!(audited.after, r#"{"training_deadline_time":"10:30"}"#);
}

#[tokio::test]
async fn the_clock_s_moves_make_no_conflict_and_people_s_edits_do() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let remark = |text: &str, message: AmendTicketRequest| AmendTicketRequest {
        remark: Some(text.to_owned()),
        ..message
    };
    let read = world.amendment(&id).await;
    world.harness.shell.clock.advance(chrono::TimeDelta::days(1));
    assert_eq!(world.run_lifecycle().await.expired, 1);
    assert_eq!(world.amend(&world.admin, remark("a", read.clone())).await.unwrap().revision, 2);
    let stale = world.amend(&world.admin, remark("b", read)).await;
    assert_eq!(code(stale), ErrorCode::VersionConflict);
    assert_eq!(world.ticket(&id).await.remark, "a");
}

#[tokio::test]
async fn what_the_ticket_says_already_changes_nothing() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let before = (world.ticket(&id).await, world.facts().await);
    let same = AmendTicketRequest {
        title: Some("1#楼钢筋绑扎".to_owned()),
        area_ids: ids(&[world.area.to_string()]),
        ..world.amendment(&id).await
    };
    let answer = world.amend(&world.admin, same).await.unwrap();
    assert_eq!(answer.revision, 1);
    assert_eq!((world.ticket(&id).await, world.facts().await), before);
}

#[tokio::test]
async fn the_deadline_that_is_shown_changes_nothing_and_another_is_in_the_history() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let before = (world.ticket(&id).await, world.facts().await);
    let deadline = |text: &str, message: AmendTicketRequest| AmendTicketRequest {
        training_deadline_time: Some(text.to_owned()),
        ..message
    };
    // Made at 08:00: today's is an hour and a half later, and stays.
    let shown = deadline(&before.0.training_deadline_time, world.amendment(&id).await);
    assert_eq!(world.amend(&world.admin, shown).await.unwrap().revision, 1);
    assert_eq!((world.ticket(&id).await, world.facts().await), before);

    for time in ["09:00", "07:30"] {
        let amendment = deadline(time, world.amendment(&id).await);
        world.amend(&world.admin, amendment).await.unwrap();
    }
    let edits = world.history(&world.admin, &id).await.unwrap();
    let told: Vec<_> = edits.iter().map(|edit| (&*edit.before, &*edit.after)).collect();
    let said = |time: &str| format!(r#"{{"training_deadline_time":"{time}"}}"#);
    let [nine, half_past] = ["09:00", "07:30"].map(said);
    assert_eq!(told[..2], [(&*nine, &*half_past), (&*half_past, &*nine)]);
}

#[tokio::test]
async fn a_contractor_s_administrator_changes_only_what_is_theirs_to_change() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let far = AmendTicketRequest {
        title: Some("2#楼".to_owned()),
        end_date: Some("2026-03-06".to_owned()),
        area_ids: ids(&[AreaId::new().to_string()]),
        worker_ids: ids(&[world.workers[0].to_string()]),
        video_ids: ids(&[VideoId::new().to_string()]),
        publish_now: Some(false),
        remark: Some("也改".to_owned()),
        ..world.amendment(&id).await
    };
    let refusal = world.amend(&world.admin, far.clone()).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::PermissionDenied);
    assert_eq!(refusal.data["permission"], "ticket.amend_scope");
    let wanted = ["title", "publish_now", "end_date", "area_ids", "worker_ids", "video_ids"];
    assert_eq!(names(&refusal), wanted);
    let removed = world.remove_worker(&world.admin, &id, &world.workers[1].to_string()).await;
    assert_eq!(code(removed), ErrorCode::PermissionDenied);
    assert_eq!(world.ticket(&id).await.revision, 1);
    assert_eq!(world.amend(&world.sysadmin(), far).await.unwrap().revision, 2);
}

#[tokio::test]
async fn everything_of_a_draft_is_its_maker_s_to_change_and_nobody_is_told() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let area = AreaId::new().to_string();
    let amendment = AmendTicketRequest {
        title: Some("2#楼".to_owned()),
        start_date: Some("2026-03-04".to_owned()),
        end_date: Some("2026-03-07".to_owned()),
        area_ids: ids(std::slice::from_ref(&area)),
        worker_ids: ids(&[world.workers[1].to_string()]),
        ..world.amendment(&id).await
    };
    world.amend(&world.admin, amendment).await.unwrap();
    let ticket = world.ticket(&id).await;
    assert_eq!((ticket.title.as_str(), ticket.area_ids), ("2#楼", vec![area]));
    assert_eq!(ticket.worker_ids, [world.workers[1].to_string()]);
    let dates: Vec<&str> = ticket.daily_tickets.iter().map(|day| day.date.as_str()).collect();
    assert_eq!(dates, ["2026-03-04", "2026-03-05", "2026-03-06", "2026-03-07"]);
    assert_eq!(world.facts().await, ["CommandAudited", "CommandAudited"]);
    world.publish(&world.admin, &id).await.unwrap();
    assert_eq!(days(&world.ticket(&id).await), ["PUBLISHED"; 4]);
}

#[tokio::test]
async fn a_moved_range_makes_days_and_cancels_days() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let wider = AmendTicketRequest {
        end_date: Some("2026-03-05".to_owned()),
        ..world.amendment(&id).await
    };
    world.amend(&world.sysadmin(), wider).await.unwrap();
    let ticket = world.ticket(&id).await;
    assert_eq!(days(&ticket), ["IN_PROGRESS", "PUBLISHED", "PUBLISHED", "PUBLISHED"]);
    let narrower = AmendTicketRequest {
        end_date: Some("2026-03-03".to_owned()),
        ..world.amendment(&id).await
    };
    world.amend(&world.sysadmin(), narrower).await.unwrap();
    let ticket = world.ticket(&id).await;
    assert_eq!(days(&ticket), ["IN_PROGRESS", "PUBLISHED", "CANCELLED", "CANCELLED"]);
    assert!(ticket.daily_tickets[3].ended_at.is_some());
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let stranger = WorkerId::new().to_string();
    world.peers.lock().unwrap().unknown.insert(stranger.clone());
    let bad = AmendTicketRequest {
        reason: " ".to_owned(),
        title: Some(String::new()),
        access_end_time: Some("8pm".to_owned()),
        training_deadline_time: Some(String::new()),
        start_date: Some("2026-03-01".to_owned()),
        end_date: Some("2026-02-28".to_owned()),
        area_ids: ids(&[]),
        worker_ids: ids(&[world.workers[0].to_string(), stranger]),
        video_ids: ids(&["x".to_owned()]),
        ..world.amendment(&id).await
    };
    let refusal = world.amend(&world.sysadmin(), bad).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::ValidationFailed);
    let wanted = [
        "reason",
        "title",
        "access_end_time",
        "access_start_time",
        "training_deadline_time",
        "video_ids[0]",
        "area_ids",
        "worker_ids[1]",
        "start_date",
        "end_date",
    ];
    assert_eq!(names(&refusal), wanted);
    assert_eq!(world.ticket(&id).await.revision, 1);
}

#[tokio::test]
async fn who_was_on_the_ticket_before_is_not_judged_anew() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.peers.lock().unwrap().unknown.insert(world.workers[0].to_string());
    let mut workers: Vec<String> = world.workers.iter().map(ToString::to_string).collect();
    workers.push(WorkerId::new().to_string());
    let amendment = AmendTicketRequest { worker_ids: ids(&workers), ..world.amendment(&id).await };
    world.amend(&world.admin, amendment).await.unwrap();
    assert_eq!(world.ticket(&id).await.worker_ids, workers);
}

#[tokio::test]
async fn the_owners_are_asked_only_about_what_is_new() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.peers.lock().unwrap().away = true;
    let remark = AmendTicketRequest { remark: Some("x".to_owned()), ..world.amendment(&id).await };
    assert!(world.amend(&world.admin, remark).await.is_ok());
    let more = world.add_workers(&world.admin, &id, &[WorkerId::new().to_string()]).await;
    assert_eq!(code(more), ErrorCode::UpstreamUnavailable);
}

#[tokio::test]
async fn of_as_many_as_a_ticket_may_name_one_is_exchanged_while_its_dates_move() {
    let world = World::new().await;
    let mut workers: Vec<String> = (0..MOST_WORKERS).map(|_| WorkerId::new().to_string()).collect();
    let full = CreateTicketRequest { worker_ids: workers.clone(), ..world.three_days() };
    let id = world.created(full).await;
    workers[0] = WorkerId::new().to_string();
    let amendment = AmendTicketRequest {
        worker_ids: ids(&workers),
        end_date: Some("2026-03-05".to_owned()),
        ..world.amendment(&id).await
    };
    // Who stays is still asked about, who leaves is not.
    let ending = (workers[1].clone(), "2026-03-02".to_owned());
    world.peers.lock().unwrap().ending.push(ending);
    let amended = world.amend(&world.sysadmin(), amendment).await.unwrap();
    assert_eq!(amended.effects.unwrap().warnings[0].worker_id, workers[1]);
    let ticket = world.ticket(&id).await;
    assert_eq!((ticket.worker_ids, ticket.end_date.as_str()), (workers, "2026-03-05"));
}

#[tokio::test]
async fn workers_are_added_once_and_removed_but_for_the_last() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let more = WorkerId::new().to_string();
    let named = [world.workers[0].to_string(), more.clone()];
    world.add_workers(&world.admin, &id, &named).await.unwrap();
    let ticket = world.ticket(&id).await;
    assert_eq!((ticket.worker_ids.len(), ticket.revision), (3, 2));
    world.add_workers(&world.admin, &id, &named).await.unwrap();
    assert_eq!(world.ticket(&id).await.revision, 2);

    let sysadmin = world.sysadmin();
    world.remove_worker(&sysadmin, &id, &more).await.unwrap();
    world.remove_worker(&sysadmin, &id, &more).await.unwrap();
    assert_eq!(world.ticket(&id).await.revision, 3, "a repeated removal changes nothing");
    let never_named = WorkerId::new().to_string();
    assert_eq!(code(world.remove_worker(&sysadmin, &id, &never_named).await), ErrorCode::NotFound);
    world.remove_worker(&sysadmin, &id, &world.workers[0].to_string()).await.unwrap();
    let last = world.remove_worker(&sysadmin, &id, &world.workers[1].to_string()).await;
    assert_eq!(names(&last.unwrap_err()), ["worker_id"]);
    assert_eq!(world.ticket(&id).await.worker_ids, [world.workers[1].to_string()]);
    let told = world.facts().await.iter().filter(|name| *name == "TicketAmended").count();
    assert_eq!(told, 3);
}

#[tokio::test]
async fn what_is_over_or_cancelled_is_not_amended() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let remark = |message| AmendTicketRequest { remark: Some("x".to_owned()), ..message };
    let over = world.amendment(&id).await;
    world.harness.shell.clock.advance(chrono::TimeDelta::days(4));
    let refusal = world.amend(&world.admin, remark(over)).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::StateConflict);
    assert_eq!(
        (&refusal.data["from"], &refusal.data["to"]),
        (&"EXPIRED".into(), &"AMENDED".into())
    );

    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.cancel(&world.admin, &id, "rain").await.unwrap();
    let late = world.amend(&world.admin, remark(world.amendment(&id).await)).await;
    assert_eq!(late.unwrap_err().data["from"], "CANCELLED");
}

#[tokio::test]
async fn anothers_ticket_is_not_there() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let another = world.harness.contractor_admin(world.site, ContractorId::new());
    let message = world.amendment(&id).await;
    assert_eq!(code(world.amend(&another, message).await), ErrorCode::NotFound);
    assert_eq!(code(world.history(&another, &id).await), ErrorCode::NotFound);
    let worker = [WorkerId::new().to_string()];
    assert_eq!(code(world.add_workers(&another, &id, &worker).await), ErrorCode::NotFound);
}
