use events::testing::delivery;
use events::{Failure, Outcome};
use proto::ticket::v1::{TicketCancelled, TicketPublished};
use proto::training::v1::{TrainingCompleted, TrainingFailed, TrainingReopened};
use training::consumers::KeepDays;
use types::{ErrorCode, VideoId};

use crate::phone::{Phone, start};
use crate::world::{World, code, day, refused};

#[tokio::test]
async fn a_cancelled_ticket_ends_its_sessions() {
    let world = World::new().await;
    let (ticket, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    world.cancel(&ticket).await;
    let refusal = refused(phone.report("PLAYING", 40, 0).await);
    assert_eq!(
        (refusal.code, &refusal.data["reason"]),
        (ErrorCode::StateConflict, &"DAY_CLOSED".into())
    );
    assert_eq!(code(phone.finish().await), ErrorCode::StateConflict);
    let failed = world.facts::<TrainingFailed>().await;
    assert_eq!(failed.iter().map(|fact| fact.reason.as_str()).collect::<Vec<_>>(), ["DAY_CLOSED"]);
}

#[tokio::test]
async fn an_expired_day_ends_its_sessions() {
    let world = World::new().await;
    let (ticket, day, video) = day(&world).await;
    let phone = Phone::start(&world, day, video).await;
    world.expire(&ticket).await;
    assert_eq!(code(phone.report("PLAYING", 1, 0).await), ErrorCode::StateConflict);
    assert_eq!(world.facts::<TrainingFailed>().await.len(), 1);
}

#[tokio::test]
async fn only_the_newest_version_of_a_ticket_counts() {
    let world = World::new().await;
    let (ticket, day, video) = day(&world).await;
    world.cancel(&ticket).await;
    // The older fact comes last, as another message.
    world.publish(&ticket).await;
    assert_eq!(code(start(&world, day, video).await), ErrorCode::StateConflict);
}

#[tokio::test]
async fn facts_out_of_order_and_five_times_end_as_the_newest_says() {
    let world = World::new().await;
    let video: VideoId = world.add_video().await.video_id.parse().unwrap();
    let mut versions = Vec::new();
    let mut ticket = world.ticket(&[video]);
    for (version, status) in [(1, "PUBLISHED"), (2, "CANCELLED"), (3, "IN_PROGRESS")] {
        ticket.version = version;
        ticket.daily_tickets[0].status = status.to_owned();
        versions.push(ticket.clone());
    }
    for order in [[0, 1, 2], [1, 2, 0], [0, 2, 1], [2, 1, 0], [2, 0, 1]] {
        for index in order {
            world.publish(&versions[index]).await;
        }
    }
    let day = versions[0].daily_tickets[0].daily_ticket_id.parse().unwrap();
    assert!(start(&world, day, video).await.is_ok());
}

#[tokio::test]
async fn the_same_message_twice_has_its_effect_once() {
    let world = World::new().await;
    let (ticket, day, video) = day(&world).await;
    Phone::start(&world, day, video).await;
    let mut cancelled = ticket.clone();
    cancelled.version += 1;
    cancelled.daily_tickets[0].status = "CANCELLED".to_owned();
    let message =
        delivery(&TicketCancelled { ticket: Some(cancelled), ..TicketCancelled::default() });
    assert_eq!(events::deliver(&world.store, &KeepDays, &message).await, Ok(Outcome::Handled));
    assert_eq!(events::deliver(&world.store, &KeepDays, &message).await, Ok(Outcome::Repeated));
    assert_eq!(world.facts::<TrainingFailed>().await.len(), 1);
}

#[tokio::test]
async fn a_worker_or_video_taken_off_the_ticket_ends_the_session() {
    let world = World::new().await;
    let (mut ticket, day, video) = day(&world).await;
    let phone = Phone::start(&world, day, video).await;
    ticket.version += 1;
    ticket.worker_ids.clear();
    world.amend(&ticket).await;
    assert_eq!(code(phone.report("PLAYING", 1, 0).await), ErrorCode::StateConflict);
}

#[tokio::test]
async fn an_added_video_must_be_watched_too() {
    let world = World::new().await;
    let (mut ticket, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    ticket.version += 1;
    ticket.video_ids.push(world.add_video().await.video_id);
    world.amend(&ticket).await;
    assert!(!phone.finish().await.unwrap().into_inner().day_complete);
}

#[tokio::test]
async fn what_cannot_be_read_is_parked() {
    let world = World::new().await;
    let empty = delivery(&TicketPublished::default());
    assert!(matches!(
        events::deliver(&world.store, &KeepDays, &empty).await,
        Err(Failure::Park(_))
    ));
    let mut garbage = delivery(&TicketPublished {
        ticket: Some(world.ticket(&[])),
        ..TicketPublished::default()
    });
    garbage.data = vec![0xff, 0xff, 0xff];
    assert!(matches!(
        events::deliver(&world.store, &KeepDays, &garbage).await,
        Err(Failure::Park(_))
    ));
}

#[tokio::test]
async fn an_added_video_reopens_a_day_that_was_complete_until_it_is_watched_too() {
    let world = World::new().await;
    let (mut ticket, day, video) = day(&world).await;
    let mut phone = Phone::start(&world, day, video).await;
    phone.watch().await;
    assert!(phone.finish().await.unwrap().into_inner().day_complete);
    let added = world.add_video().await.video_id;
    ticket.version += 1;
    ticket.video_ids.push(added.clone());
    world.amend(&ticket).await;
    let reopened = world.facts::<TrainingReopened>().await;
    assert_eq!(reopened.len(), 1);
    assert_eq!(reopened[0].missing_video_ids, [added.as_str()]);
    let before = world.facts::<TrainingCompleted>().await.remove(0).version;
    assert!(reopened[0].version > before);
    // Told again by another version of the same ticket, nothing more is reopened.
    ticket.version += 1;
    world.amend(&ticket).await;
    assert_eq!(world.facts::<TrainingReopened>().await.len(), 1);

    let mut phone = Phone::start(&world, day, added.parse().unwrap()).await;
    phone.watch().await;
    assert!(phone.finish().await.unwrap().into_inner().day_complete);
    let completed = world.facts::<TrainingCompleted>().await;
    assert_eq!(completed.len(), 2);
    assert!(completed[1].version > reopened[0].version);
}

#[tokio::test]
async fn a_removed_video_completes_the_day_of_who_watched_all_others() {
    let world = World::new().await;
    let one: VideoId = world.add_video().await.video_id.parse().unwrap();
    let two: VideoId = world.add_video().await.video_id.parse().unwrap();
    let mut ticket = world.ticket(&[one, two]);
    let day = world.publish(&ticket).await;
    let mut phone = Phone::start(&world, day, one).await;
    phone.watch().await;
    assert!(!phone.finish().await.unwrap().into_inner().day_complete);
    // The deadline has passed when the video goes: it was watched before.
    world.wait(3_600);
    ticket.version += 1;
    ticket.video_ids = vec![one.to_string()];
    world.amend(&ticket).await;
    let completed = world.facts::<TrainingCompleted>().await;
    assert_eq!(completed.len(), 1);
    assert!(completed[0].in_time);
    assert_eq!(completed[0].completed_at, Some(proto::timestamp(world.now())));
}
