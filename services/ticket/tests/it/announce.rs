use events::testing::{announced, assert_takes_its_states};
use proto::ticket::v1::{TicketAmended, TicketPublished};
use ticket::announcer::Announcer;
use ticket::consumers::{FollowAccess, FollowTraining, FollowWorkers};

use crate::world::World;

#[tokio::test]
async fn live_tickets_are_told_again_at_their_version() {
    let world = World::new().await;
    world.created(world.draft()).await;
    let cancelled = world.created(world.three_days()).await;
    world.cancel(&world.admin, &cancelled, "rain").await.unwrap();
    let live = world.created(world.three_days()).await;

    let told = announced(&world.store, &Announcer).await;
    let ids: Vec<&str> = told.iter().map(|(_, it)| it.subject_id.as_str()).collect();
    assert_eq!(ids, [live.as_str()], "no draft and nothing that has ended");
    let ticket = world.fact::<TicketPublished>("TicketPublished").await.ticket.unwrap();
    let delivery = &told[0].1;
    assert_eq!(delivery.version, ticket.version);
    assert_eq!(delivery.site, Some(world.site));
    assert_eq!(delivery.at, proto::instant(ticket.published_at.as_ref()).unwrap());
    assert_eq!(delivery.decode::<TicketAmended>().unwrap().ticket, Some(ticket));
    world.harness.stop().await;
}

#[test]
fn whichever_event_is_a_newest_state_is_taken() {
    assert_takes_its_states(&FollowAccess);
    assert_takes_its_states(&FollowWorkers);
    assert_takes_its_states(&FollowTraining);
}
