use auth::Caller;
use futures::future::join_all;
use proto::notification::v1::{MarkTaskReadRequest, TaskRead};
use service::Refusal;
use types::{DailyTicketId, ErrorCode, SiteId, WorkerId};

use crate::world::World;

async fn mark(world: &World, caller: &Caller, worker: &str, day: &str) -> Result<(), ErrorCode> {
    let message =
        MarkTaskReadRequest { worker_id: worker.to_owned(), daily_ticket_id: day.to_owned() };
    let answer = world.client().mark_task_read(world.harness.request(caller, message)).await;
    answer.map(|_| ()).map_err(|status| Refusal::from_status(&status).code)
}

#[tokio::test]
async fn an_opened_task_is_told_once_for_each_worker_and_day() {
    let world = World::new().await;
    let worker = world.worker().await;
    let ticket = world.publish(&[worker]).await;
    let caller = world.harness.worker(worker, world.site);
    let (first, second) =
        (&ticket.daily_tickets[2].daily_ticket_id, &ticket.daily_tickets[0].daily_ticket_id);
    for day in [first, first, second, first] {
        assert_eq!(mark(&world, &caller, &worker.to_string(), day).await, Ok(()));
    }
    let told: Vec<TaskRead> = world.facts().await;
    let days: Vec<&String> = told.iter().map(|read| &read.daily_ticket_id).collect();
    assert_eq!(days, [first, second]);
    assert_eq!(
        (&told[0].site_id, &told[0].worker_id),
        (&world.site.to_string(), &worker.to_string())
    );
    assert_eq!(world.rows("task_reads").await, 2);
}

#[tokio::test]
async fn a_task_opened_fifty_times_at_once_is_told_once() {
    let world = World::new().await;
    let worker = world.worker().await;
    let ticket = world.publish(&[worker]).await;
    let caller = world.harness.worker(worker, world.site);
    let day = &ticket.daily_tickets[0].daily_ticket_id;
    let answers = join_all((0..50).map(|_| mark(&world, &caller, "", day))).await;
    assert_eq!(answers, [Ok(()); 50]);
    assert_eq!((world.told("TaskRead").await, world.told("CommandAudited").await), (1, 1));
    assert_eq!(world.rows("task_reads").await, 1);
}

#[tokio::test]
async fn what_is_not_the_workers_own_task_is_not_found() {
    let world = World::new().await;
    let worker = world.worker().await;
    let ticket = world.publish(&[worker]).await;
    let day = &ticket.daily_tickets[0].daily_ticket_id;
    let own = world.harness.worker(worker, world.site);
    let stranger = world.harness.worker(WorkerId::new(), world.site);
    let elsewhere = world.harness.worker(worker, SiteId::new());
    for (caller, named, day) in [
        (&stranger, String::new(), day.clone()),
        (&stranger, worker.to_string(), day.clone()),
        (&elsewhere, String::new(), day.clone()),
        (&own, String::new(), DailyTicketId::new().to_string()),
    ] {
        assert_eq!(mark(&world, caller, &named, &day).await, Err(ErrorCode::NotFound));
    }
    let admin = world.harness.sysadmin(&[world.site]);
    assert_eq!(mark(&world, &admin, "", day).await, Err(ErrorCode::PermissionDenied));
    assert_eq!(world.told("TaskRead").await, 0);
}
