use proto::common::v1::CommandAudited;
use proto::ticket::v1::DailyTicketCancelled;
use types::{ContractorId, DailyTicketId, ErrorCode};

use crate::world::{World, code, days};

#[tokio::test]
async fn one_day_ends_and_the_others_go_on() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let day = world.ticket(&id).await.daily_tickets[0].daily_ticket_id.clone();
    world.cancel_day(&world.admin, &day, false).await.unwrap();
    let ticket = world.ticket(&id).await;
    assert_eq!(days(&ticket), ["CANCELLED", "PUBLISHED", "PUBLISHED"]);
    assert_eq!((ticket.status.as_str(), ticket.revision), ("ACTIVE", 2));
    let told: DailyTicketCancelled = world.fact("DailyTicketCancelled").await;
    assert_eq!((told.daily_ticket_id.as_str(), told.reason.as_str()), (day.as_str(), "rain"));
    assert_eq!(told.ticket, Some(ticket));
    let audited: CommandAudited = world.fact("CommandAudited").await;
    assert_eq!((audited.action.as_str(), audited.target_id), ("ticket.cancel_day", day));
    assert!(audited.before.contains("IN_PROGRESS") && audited.after.contains("CANCELLED"));
}

#[tokio::test]
async fn cancelling_it_twice_changes_nothing_more() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let day = world.ticket(&id).await.daily_tickets[2].daily_ticket_id.clone();
    world.cancel_day(&world.admin, &day, false).await.unwrap();
    let before = (world.ticket(&id).await, world.facts().await);
    world.cancel_day(&world.admin, &day, false).await.unwrap();
    assert_eq!((world.ticket(&id).await, world.facts().await), before);
}

#[tokio::test]
async fn the_last_open_day_may_end_too_and_then_nothing_is_left_to_change() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    for day in world.ticket(&id).await.daily_tickets {
        world.cancel_day(&world.admin, &day.daily_ticket_id, false).await.unwrap();
    }
    let ticket = world.ticket(&id).await;
    assert_eq!((ticket.status.as_str(), days(&ticket)), ("ACTIVE", vec!["CANCELLED"; 3]));
    let refused = world.cancel(&world.admin, &id, "rain").await;
    assert_eq!(code(refused), ErrorCode::StateConflict);
    let amendment = world.amendment(&id).await;
    assert_eq!(code(world.amend(&world.admin, amendment).await), ErrorCode::StateConflict);
}

#[tokio::test]
async fn a_day_that_is_over_is_not_cancelled() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let day = world.ticket(&id).await.daily_tickets[0].daily_ticket_id.clone();
    world.harness.shell.clock.advance(chrono::TimeDelta::days(1));
    let refusal = world.cancel_day(&world.admin, &day, false).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::StateConflict);
    let way = (&refusal.data["from"], &refusal.data["to"]);
    assert_eq!(way, (&"EXPIRED".into(), &"CANCELLED".into()));
}

#[tokio::test]
async fn a_draft_s_day_is_told_to_nobody_and_not_published() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let day = world.ticket(&id).await.daily_tickets[1].daily_ticket_id.clone();
    world.cancel_day(&world.admin, &day, false).await.unwrap();
    assert_eq!(world.facts().await, ["CommandAudited", "CommandAudited"]);
    world.publish(&world.admin, &id).await.unwrap();
    assert_eq!(days(&world.ticket(&id).await), ["IN_PROGRESS", "CANCELLED", "PUBLISHED"]);
}

#[tokio::test]
async fn anothers_day_is_not_there() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let day = world.ticket(&id).await.daily_tickets[0].daily_ticket_id.clone();
    let another = world.harness.contractor_admin(world.site, ContractorId::new());
    assert_eq!(code(world.cancel_day(&another, &day, false).await), ErrorCode::NotFound);
    let unknown = DailyTicketId::new().to_string();
    assert_eq!(code(world.cancel_day(&world.admin, &unknown, false).await), ErrorCode::NotFound);
}
