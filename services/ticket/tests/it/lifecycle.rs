use chrono::TimeDelta;
use proto::ticket::v1::{CreateTicketRequest, DailyTicketExpired, DailyTicketStarted};
use sqlx::PgPool;
use test_support::eventually;
use ticket::app::Lifecycle;
use types::{SiteId, TicketId};

use crate::world::{World, days};

fn moved(started: u32, expired: u32) -> Lifecycle {
    Lifecycle { started, expired, missed: 0 }
}

#[tokio::test]
async fn nothing_moves_before_its_time() {
    let world = World::new().await;
    world.created(world.three_days()).await;
    let before = world.facts().await;
    // 23:58 at the site.
    world.harness.shell.clock.advance(TimeDelta::minutes(15 * 60 + 58));
    assert_eq!(world.run_lifecycle().await, moved(0, 0));
    assert_eq!(world.facts().await, before);
}

#[tokio::test]
async fn a_day_is_over_at_a_minute_to_midnight_and_the_next_starts_at_five_past() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.harness.shell.clock.advance(TimeDelta::minutes(15 * 60 + 59));
    assert_eq!(world.run_lifecycle().await, moved(0, 1));
    assert_eq!(days(&world.ticket(&id).await), ["EXPIRED", "PUBLISHED", "PUBLISHED"]);
    world.harness.shell.clock.advance(TimeDelta::minutes(6));
    assert_eq!(world.run_lifecycle().await, moved(1, 0));
    assert_eq!(days(&world.ticket(&id).await), ["EXPIRED", "IN_PROGRESS", "PUBLISHED"]);
}

#[tokio::test]
async fn each_turn_is_told_with_the_whole_ticket_at_its_version() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.harness.shell.clock.advance(TimeDelta::minutes(16 * 60 + 5));
    world.run_lifecycle().await;
    let ticket = world.ticket(&id).await;
    assert_eq!(ticket.version, 3);
    let started: DailyTicketStarted = world.fact("DailyTicketStarted").await;
    assert_eq!(started.daily_ticket_id, ticket.daily_tickets[1].daily_ticket_id);
    assert_eq!(started.ticket.unwrap().version, 2);
    let expired: DailyTicketExpired = world.fact("DailyTicketExpired").await;
    assert_eq!(expired.daily_ticket_id, ticket.daily_tickets[0].daily_ticket_id);
    assert_eq!(expired.ticket, Some(ticket));
}

#[tokio::test]
async fn running_again_changes_nothing() {
    let world = World::new().await;
    world.created(world.three_days()).await;
    world.harness.shell.clock.advance(TimeDelta::minutes(16 * 60 + 5));
    world.run_lifecycle().await;
    let before = world.facts().await;
    assert_eq!(world.run_lifecycle().await, moved(0, 0));
    assert_eq!(world.facts().await, before);
}

#[tokio::test]
async fn days_slept_through_are_made_good_in_one_run() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.harness.shell.clock.advance(TimeDelta::days(9));
    assert_eq!(world.run_lifecycle().await, moved(2, 3));
    assert_eq!(days(&world.ticket(&id).await), ["EXPIRED"; 3]);
}

#[tokio::test]
async fn fifty_runs_at_once_move_each_day_once() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.harness.shell.clock.advance(TimeDelta::days(9));
    let run = schedule::testing::run(&world.store, "ticket.lifecycle", world.harness.now()).await;
    let runs = (0..50).map(|_| world.app.run_lifecycle(&run));
    let done = futures::future::join_all(runs).await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    // What one run left because another was at it, the next run finds.
    world.run_lifecycle().await;
    assert_eq!(days(&world.ticket(&id).await), ["EXPIRED"; 3]);
    let facts = world.facts().await;
    let told = |name: &str| facts.iter().filter(|each| *each == name).count();
    assert_eq!((told("DailyTicketStarted"), told("DailyTicketExpired")), (2, 3));
    assert_eq!(world.ticket(&id).await.version, 6);
}

#[tokio::test]
async fn drafts_and_cancelled_days_do_not_move() {
    let world = World::new().await;
    let draft = world.created(world.draft()).await;
    let cancelled = world.created(world.three_days()).await;
    world.cancel(&world.admin, &cancelled, "rain").await.unwrap();
    world.harness.shell.clock.advance(TimeDelta::days(9));
    assert_eq!(world.run_lifecycle().await, moved(0, 0));
    assert_eq!(days(&world.ticket(&draft).await), ["DRAFT"; 3]);
}

#[tokio::test]
async fn a_run_that_was_taken_over_moves_no_day() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.harness.shell.clock.advance(TimeDelta::days(9));
    let paused =
        schedule::testing::run(&world.store, "ticket.lifecycle", world.harness.now()).await;
    schedule::testing::run(&world.store, "ticket.lifecycle", world.harness.now()).await;
    assert!(world.app.run_lifecycle(&paused).await.is_err());
    assert_eq!(world.ticket(&id).await.version, 1);
    assert_eq!(world.run_lifecycle().await, moved(2, 3));
}

async fn move_to(admin: &PgPool, ticket: TicketId, zone: &str) {
    let statement = "UPDATE ticket.work_tickets SET time_zone = $2 WHERE ticket_id = $1";
    sqlx::query(statement).bind(ticket.as_uuid()).bind(zone).execute(admin).await.unwrap();
}

#[tokio::test]
async fn a_day_that_cannot_be_read_holds_up_no_other_site_and_fails_the_run_at_its_end() {
    let world = World::new().await;
    let broken: TicketId = world.created(world.three_days()).await.parse().unwrap();
    let site = SiteId::new();
    let elsewhere = CreateTicketRequest { site_id: site.to_string(), ..world.three_days() };
    let sysadmin = world.harness.sysadmin(&[site]);
    let whole = world.create(&sysadmin, elsewhere).await.unwrap().ticket_id;
    let admin = world.harness.database.admin();
    move_to(&admin, broken, "Mars/Olympus").await;
    world.harness.shell.clock.advance(TimeDelta::minutes(16 * 60 + 5));
    let run = schedule::testing::run(&world.store, "ticket.lifecycle", world.harness.now()).await;
    let failed = world.app.run_lifecycle(&run).await.unwrap_err();
    assert_eq!(failed.to_string(), "2 due days could not be started or expired");
    let ticket = world.get(&sysadmin, &whole).await.unwrap().ticket.unwrap();
    assert_eq!(days(&ticket), ["EXPIRED", "IN_PROGRESS", "PUBLISHED"]);

    move_to(&admin, broken, "Asia/Shanghai").await;
    assert_eq!(world.run_lifecycle().await, moved(1, 1));
}

#[tokio::test]
async fn a_day_whose_end_is_moved_meanwhile_is_left_and_those_behind_it_are_not() {
    let world = World::new().await;
    let mut tickets = Vec::new();
    for _ in 0..3 {
        tickets.push(world.created(world.three_days()).await.parse::<TicketId>().unwrap());
    }
    world.harness.shell.clock.advance(TimeDelta::minutes(15 * 60 + 59));
    let run = schedule::testing::run(&world.store, "ticket.lifecycle", world.harness.now()).await;
    let admin = world.harness.database.admin();
    let mut held = admin.begin().await.unwrap();
    let lock = "SELECT ticket_id FROM ticket.work_tickets WHERE ticket_id = $1 FOR UPDATE";
    sqlx::query(lock).bind(tickets[0].as_uuid()).execute(&mut *held).await.unwrap();
    let meanwhile = async {
        eventually("the run to wait for the first day", || async {
            let waiting: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_stat_activity
                                WHERE datname = current_database() AND wait_event_type = 'Lock')",
            )
            .fetch_one(&admin)
            .await
            .unwrap();
            waiting.then_some(())
        })
        .await;
        let later = "UPDATE ticket.daily_tickets SET expires_at = expires_at + interval '1 hour'
                     WHERE ticket_id = $1 AND started_at IS NOT NULL";
        sqlx::query(later).bind(tickets[1].as_uuid()).execute(&mut *held).await.unwrap();
        held.commit().await.unwrap();
    };
    let (done, ()) = tokio::join!(world.app.run_lifecycle(&run), meanwhile);
    assert_eq!(done.unwrap(), Lifecycle { started: 0, expired: 2, missed: 1 });
}
