use events::testing::delivery;
use events::{Delivery, Failure, Outcome, deliver};
use notification::consumers::{AnnounceTicket, FollowWorkers};
use notification::domain::Status;
use proto::notification::v1::NotificationSkipped;
use proto::ticket::v1::{DailyTicket, Ticket, TicketAmended, TicketPublished};
use types::WorkerId;

use crate::world::{World, bound, fate, published};

#[tokio::test]
async fn each_worker_of_a_published_ticket_gets_one_notice_under_its_first_open_day() {
    let world = World::new().await;
    let workers = [world.worker().await, world.worker().await];
    let ticket = world.publish(&workers).await;
    let notices = world.notices().await;
    let mut named: Vec<String> = notices.iter().map(|notice| notice.worker_id.clone()).collect();
    named.sort();
    assert_eq!(named, workers.map(|worker| worker.to_string()));
    let today = ticket.daily_tickets.iter().find(|day| day.date == "2026-03-02").unwrap();
    for notice in notices {
        assert_eq!(notice.daily_ticket_id, today.daily_ticket_id);
        assert_eq!(
            (notice.r#type.as_str(), notice.status.as_str()),
            ("TICKET_PUBLISHED", "QUEUED")
        );
        assert_eq!((notice.version, notice.next_attempt_at), (1, notice.created_at));
    }
}

#[tokio::test]
async fn a_publication_told_again_queues_nothing_again() {
    let world = World::new().await;
    let (reachable, unbound) = (world.worker().await, WorkerId::new());
    world.tell(&FollowWorkers, &bound(unbound, false, 1)).await;
    let ticket = world.ticket(&[reachable, unbound]);
    let fact = published(&ticket);
    world.tell(&AnnounceTicket, &fact).await;
    let again = deliver(&world.store, &AnnounceTicket, &fact).await.unwrap();
    assert_eq!(again, Outcome::Repeated);
    // The same under other ids, as after a replay of the outbox: only the unique key is left to hold.
    for _ in 0..4 {
        world.tell(&AnnounceTicket, &published(&ticket)).await;
    }
    assert_eq!(world.rows("notices").await, 2);
    assert_eq!(world.told("NotificationSkipped").await, 1);
}

#[tokio::test]
async fn a_ticket_that_wants_no_notice_or_has_no_open_day_queues_none() {
    let world = World::new().await;
    let worker = world.worker().await;
    let silent = Ticket { publish_now: false, ..world.ticket(&[worker]) };
    let day = DailyTicket { status: "CANCELLED".to_owned(), ..DailyTicket::default() };
    let over = Ticket { daily_tickets: vec![day], ..world.ticket(&[worker]) };
    for ticket in [silent, over] {
        world.tell(&AnnounceTicket, &published(&ticket)).await;
    }
    assert_eq!(world.rows("notices").await, 0);
}

#[tokio::test]
async fn who_is_known_to_be_unbound_is_skipped_at_once() {
    let world = World::new().await;
    let worker = WorkerId::new();
    world.tell(&FollowWorkers, &bound(worker, false, 1)).await;
    world.publish(&[worker]).await;
    assert_eq!(world.fate().await, fate(Status::Skipped, "NOT_BOUND", 0));
    let skipped: Vec<NotificationSkipped> = world.facts().await;
    assert_eq!(skipped[0].notification, Some(world.only().await));
    // A later binding does not send it by itself.
    world.tell(&FollowWorkers, &bound(worker, true, 2)).await;
    world.consent(worker, 1).await;
    assert_eq!(world.send().await, 0);
}

#[tokio::test]
async fn the_newest_word_on_a_binding_counts_whatever_came_last() {
    let world = World::new().await;
    let worker = WorkerId::new();
    for (is_bound, version) in [(false, 1), (true, 3), (true, 3), (false, 2)] {
        world.tell(&FollowWorkers, &bound(worker, is_bound, version)).await;
    }
    world.publish(&[worker]).await;
    assert_eq!(world.fate().await, fate(Status::Queued, "", 0));
}

#[tokio::test]
async fn of_whom_nothing_is_known_yet_directory_is_asked_when_it_is_sent() {
    let world = World::new().await;
    let worker = WorkerId::new();
    world.consent(worker, 1).await;
    world.publish(&[worker]).await;
    assert_eq!(world.send().await, 1);
    assert_eq!(world.fate().await, fate(Status::Sent, "", 1));
    world.publish(&[WorkerId::new()]).await;
    assert_eq!(world.send().await, 1);
    let reasons = world.notices().await.into_iter().map(|notice| notice.reason);
    assert!(reasons.collect::<Vec<_>>().contains(&"NOT_BOUND".to_owned()));
}

fn amended(ticket: &Ticket, by: &str) -> Delivery {
    let (ticket, amended_by) = (Some(ticket.clone()), by.to_owned());
    delivery(&TicketAmended { ticket, amended_by, ..TicketAmended::default() })
}

#[tokio::test]
async fn a_worker_whom_an_amendment_adds_is_told_and_nobody_twice() {
    let world = World::new().await;
    let (first, added) = (world.worker().await, world.worker().await);
    let mut ticket = world.publish(&[first]).await;
    ticket.worker_ids.push(added.to_string());
    ticket.version += 1;
    world.tell(&AnnounceTicket, &amended(&ticket, "account:1")).await;
    let mut told: Vec<String> =
        world.notices().await.into_iter().map(|notice| notice.worker_id).collect();
    told.sort();
    let mut named = [first.to_string(), added.to_string()];
    named.sort();
    assert_eq!(told, named);
    world.tell(&AnnounceTicket, &amended(&ticket, "account:1")).await;
    assert_eq!(world.rows("notices").await, 2);
}

#[tokio::test]
async fn a_ticket_that_nobody_amended_is_announced_to_nobody() {
    let world = World::new().await;
    let ticket = world.ticket(&[world.worker().await]);
    world.tell(&AnnounceTicket, &amended(&ticket, "")).await;
    assert_eq!(world.rows("notices").await, 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_parked() {
    let world = World::new().await;
    let ticket = Ticket { time_zone: "Mars".to_owned(), ..world.ticket(&[WorkerId::new()]) };
    for fact in [published(&ticket), delivery(&TicketPublished::default())] {
        let failure = deliver(&world.store, &AnnounceTicket, &fact).await.unwrap_err();
        assert!(matches!(failure, Failure::Park(_)), "{failure}");
    }
}
