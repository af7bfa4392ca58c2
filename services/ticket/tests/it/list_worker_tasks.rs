use auth::Caller;
use chrono::TimeDelta;
use proto::ticket::v1::CreateTicketRequest;
use types::{ErrorCode, SiteId, WorkerId};

use crate::world::{World, code};

#[tokio::test]
async fn a_worker_sees_today_and_not_tomorrow() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let ticket = world.ticket(&id).await;
    let worker = world.harness.worker(world.workers[0], world.site);
    let answer = world.tasks(&worker, "").await.unwrap();
    assert_eq!((answer.date.as_str(), answer.tasks.len()), ("2026-03-02", 1));
    let task = &answer.tasks[0];
    assert_eq!(task.daily_ticket.as_ref(), Some(&ticket.daily_tickets[0]));
    assert_eq!(task.progress.as_ref().unwrap().worker_id, world.workers[0].to_string());
}

#[tokio::test]
async fn a_day_is_there_from_midnight_before_the_clock_started_it() {
    let world = World::new().await;
    world.created(world.three_days()).await;
    let worker = world.harness.worker(world.workers[0], world.site);
    // 3 March 00:01 at the site.
    world.harness.shell.clock.advance(TimeDelta::minutes(16 * 60 + 1));
    world.run_lifecycle().await;
    let answer = world.tasks(&worker, "").await.unwrap();
    assert_eq!((answer.date.as_str(), answer.tasks.len()), ("2026-03-03", 1));
    assert_eq!(answer.tasks[0].daily_ticket.as_ref().unwrap().status, "PUBLISHED");
}

#[tokio::test]
async fn last_nights_shift_is_there_until_its_end_beside_today() {
    let world = World::new().await;
    let night = CreateTicketRequest {
        access_start_time: "20:00".to_owned(),
        access_end_time: "06:00".to_owned(),
        ..world.three_days()
    };
    world.created(night).await;
    let worker = world.harness.worker(world.workers[0], world.site);
    // 3 March 05:00 at the site.
    world.harness.shell.clock.advance(TimeDelta::hours(21));
    world.run_lifecycle().await;
    let dates = |answer: proto::ticket::v1::ListWorkerTasksResponse| -> Vec<String> {
        answer.tasks.into_iter().map(|task| task.daily_ticket.unwrap().date).collect()
    };
    let answer = world.tasks(&worker, "").await.unwrap();
    assert_eq!(dates(answer), ["2026-03-02", "2026-03-03"]);
    world.harness.shell.clock.advance(TimeDelta::hours(1));
    let answer = world.tasks(&worker, "").await.unwrap();
    assert_eq!(dates(answer), ["2026-03-03"]);
}

#[tokio::test]
async fn drafts_and_cancelled_days_are_no_tasks() {
    let world = World::new().await;
    world.created(world.draft()).await;
    let id = world.created(world.three_days()).await;
    world.cancel(&world.admin, &id, "rain").await.unwrap();
    let worker = world.harness.worker(world.workers[0], world.site);
    let answer = world.tasks(&worker, "").await.unwrap();
    assert_eq!((answer.date.as_str(), answer.tasks.len()), ("2026-03-02", 0));
}

#[tokio::test]
async fn a_worker_asks_for_themself_and_a_service_for_anyone() {
    let world = World::new().await;
    world.created(world.three_days()).await;
    let [own, other] = world.workers;
    let worker = world.harness.worker(own, world.site);
    assert_eq!(world.tasks(&worker, &own.to_string()).await.unwrap().tasks.len(), 1);
    assert_eq!(code(world.tasks(&worker, &other.to_string()).await), ErrorCode::NotFound);
    let service = Caller::service("gateway");
    assert_eq!(world.tasks(&service, &other.to_string()).await.unwrap().tasks.len(), 1);
    let stranger = world.harness.worker(WorkerId::new(), world.site);
    assert!(world.tasks(&stranger, "").await.unwrap().tasks.is_empty());
    let elsewhere = world.harness.worker(own, SiteId::new());
    assert!(world.tasks(&elsewhere, "").await.unwrap().tasks.is_empty());
    assert_eq!(code(world.tasks(&world.admin, "").await), ErrorCode::PermissionDenied);
}

#[tokio::test]
async fn without_a_task_today_is_where_the_worker_s_newest_ticket_is() {
    let world = World::new().await;
    let in_zone = |zone| world.peers.lock().unwrap().time_zone = zone;
    // 1 March, 14:00 there.
    in_zone("Pacific/Honolulu");
    world.created(world.three_days()).await;
    in_zone("Asia/Shanghai");
    let anothers =
        CreateTicketRequest { worker_ids: vec![WorkerId::new().to_string()], ..world.three_days() };
    world.created(anothers).await;
    let worker = world.harness.worker(world.workers[0], world.site);
    let answer = world.tasks(&worker, "").await.unwrap();
    assert_eq!((answer.date.as_str(), answer.tasks.len()), ("2026-03-01", 0));
}
