use events::testing::{assert_takes_its_states, delivery};
use notification::consumers::{FollowAreas, FollowTickets, FollowWorkers};
use proto::ticket::v1::{Ticket, TicketAmended};
use types::WorkerId;

use crate::world::{World, published};

#[tokio::test]
async fn the_newest_name_of_an_area_is_the_one_in_the_message() {
    let world = World::new().await;
    let worker = world.consenting(1).await;
    world.publish(&[worker]).await;
    for (name, version) in [("南区", 2), ("南区", 2), ("北区", 1)] {
        world.name_area(name, version).await;
    }
    world.send().await;
    assert_eq!(world.wechat.delivered()[0]["data"]["thing3"]["value"], "南区");
}

#[tokio::test]
async fn the_newest_word_on_a_ticket_says_whose_task_it_is() {
    let world = World::new().await;
    let (before, after) = (WorkerId::new(), WorkerId::new());
    let first = world.ticket(&[before]);
    let ticket = Ticket { worker_ids: vec![after.to_string()], version: 2, ..first.clone() };
    let amended = TicketAmended { ticket: Some(ticket), ..TicketAmended::default() };
    world.tell(&FollowTickets, &delivery(&amended)).await;
    world.tell(&FollowTickets, &published(&first)).await;
    let day = first.daily_tickets[0].daily_ticket_id.parse().unwrap();
    assert!(world.app.mark_task_read(&world.own(before), None, day).await.is_err());
    world.app.mark_task_read(&world.own(after), None, day).await.unwrap();
}

#[test]
fn whichever_event_is_a_newest_state_is_taken() {
    assert_takes_its_states(&FollowTickets);
    assert_takes_its_states(&FollowAreas);
    assert_takes_its_states(&FollowWorkers);
}
