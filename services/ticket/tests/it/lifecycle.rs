use chrono::TimeDelta;
use proto::ticket::v1::{DailyTicketExpired, DailyTicketStarted};
use ticket::app::Lifecycle;

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
async fn two_runs_at_once_move_each_day_once() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.harness.shell.clock.advance(TimeDelta::days(9));
    let run = schedule::testing::run(&world.store, "ticket.lifecycle", world.harness.now()).await;
    let (first, second) =
        tokio::join!(world.app.run_lifecycle(&run), world.app.run_lifecycle(&run));
    assert!(first.is_ok() && second.is_ok());
    // What one run left because the other was at it, the next run finds.
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
