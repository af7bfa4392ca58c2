use proto::common::v1::CommandAudited;
use proto::ticket::v1::TicketCancelled;
use types::{ContractorId, ErrorCode};

use crate::world::{World, code, days, names};

#[tokio::test]
async fn cancelling_ends_every_day_and_says_why() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.cancel(&world.admin, &id, " 暴雨停工 ").await.unwrap();
    let ticket = world.ticket(&id).await;
    assert_eq!((ticket.status.as_str(), ticket.cancel_reason.as_str()), ("CANCELLED", "暴雨停工"));
    assert_eq!(days(&ticket), ["CANCELLED"; 3]);
    assert!(ticket.daily_tickets.iter().all(|day| day.ended_at.is_some()));
    let cancelled: TicketCancelled = world.fact("TicketCancelled").await;
    assert_eq!(cancelled.ticket, Some(ticket));
    assert_eq!(cancelled.reason, "暴雨停工");
    let audited: CommandAudited = world.fact("CommandAudited").await;
    assert_eq!((audited.action.as_str(), audited.reason.as_str()), ("ticket.cancel", "暴雨停工"));
    assert!(audited.before.contains("IN_PROGRESS") && audited.after.contains("CANCELLED"));
}

#[tokio::test]
async fn cancelling_twice_keeps_the_first_reason_and_tells_nothing_more() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.cancel(&world.admin, &id, "rain").await.unwrap();
    let before = (world.ticket(&id).await, world.facts().await);
    world.cancel(&world.admin, &id, "wind").await.unwrap();
    assert_eq!((world.ticket(&id).await, world.facts().await), before);
}

#[tokio::test]
async fn a_reason_is_required() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let refusal = world.cancel(&world.admin, &id, "  ").await.unwrap_err();
    assert_eq!(names(&refusal), ["reason"]);
    let refusal = world.cancel(&world.admin, "x", &"字".repeat(201)).await.unwrap_err();
    assert_eq!(names(&refusal), ["ticket_id", "reason"]);
    assert_eq!(world.ticket(&id).await.status, "ACTIVE");
}

#[tokio::test]
async fn a_ticket_that_is_over_is_not_cancelled() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    world.harness.shell.clock.advance(chrono::TimeDelta::days(4));
    world.run_lifecycle().await;
    let refusal = world.cancel(&world.admin, &id, "rain").await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::StateConflict);
    assert_eq!(world.ticket(&id).await.status, "ACTIVE");
}

#[tokio::test]
async fn anothers_ticket_is_not_there() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let another = world.harness.contractor_admin(world.site, ContractorId::new());
    assert_eq!(code(world.cancel(&another, &id, "rain").await), ErrorCode::NotFound);
}
