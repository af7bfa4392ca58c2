//! What is told again, and what becomes of a stream that lost it.

use std::time::Duration;

use events::testing::{Halt, Point};
use events::{Pace, progress, reannounce, state_stream_name, state_subject};
use service::Scope;
use test_support::eventually;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::owner::{Keeper, change, enter, ids};
use crate::state::at_version;
use crate::world::{CONTEXT, World, at, quick};

impl World {
    /// Asks for an announcement; whether it is a new one.
    pub(crate) async fn ask_again(&self) -> bool {
        let mut tx = self.writer.begin(Scope::System("ask for an announcement")).await.unwrap();
        let new = reannounce(&mut tx, CONTEXT).await.unwrap();
        tx.commit().await.unwrap();
        new
    }
}

#[tokio::test]
async fn states_that_were_lost_are_told_again() {
    let (mut world, videos) = World::settled(5).await;
    world.until_told().await;
    let name = state_stream_name(&world.prefix, CONTEXT);
    world.jetstream().delete_stream(&name).await.unwrap();
    // Met by the next state, which finds no stream.
    change(&world, &videos[0], 3).await;
    for video in &videos {
        eventually("each state", async || world.state(video).await).await;
    }
    world.until_told().await;
    world.until_sent().await;
    assert_eq!(world.state(&videos[0]).await.unwrap().0, 3);
    assert_eq!(world.state(&videos[1]).await.unwrap().0, 2);

    world.forget_facts().await;
    world.consume(Keeper::default());
    let mut known = at_version(&videos, 2);
    known.iter_mut().find(|(video, _)| *video == videos[0]).unwrap().1 = 3;
    world.until_known(&known).await;
    world.shut_down().await;
}

#[tokio::test]
async fn a_stream_of_states_that_fell_behind_is_emptied_and_told_again() {
    let (mut world, videos) = World::settled(3).await;
    world.until_told().await;
    world.shut_down().await;
    // As when an older copy was restored: what is there may have ended since.
    sqlx::query("UPDATE training.relay_state SET last_state_seq = last_state_seq + 5")
        .execute(&world.database.admin())
        .await
        .unwrap();
    sqlx::query("DELETE FROM training.videos WHERE video_id = $1::uuid")
        .bind(&videos[0])
        .execute(&world.database.admin())
        .await
        .unwrap();
    world.stop = CancellationToken::new();
    world.relay().await;
    eventually("the old state to go", async || {
        world.state(&videos[0]).await.is_none().then_some(())
    })
    .await;
    world.announce();
    eventually("the others", async || world.state(&videos[2]).await).await;
    world.until_told().await;
    assert_eq!(world.state(&videos[1]).await.unwrap().0, 2);
    assert!(world.state(&videos[0]).await.is_none());
    world.shut_down().await;
}

#[tokio::test]
async fn what_changes_while_it_is_told_is_never_overwritten_by_what_it_was() {
    let mut world = World::new().await;
    let video = ids(1).remove(0);
    enter(&world, &video, 1).await;
    let mut tx = world.writer.begin(Scope::Site(world.site)).await.unwrap();
    crate::owner::write(&mut tx, &world, &video, 2).await;
    events::enqueue(&mut tx, &crate::owner::fact(&world, &video, 2), at()).await.unwrap();
    // It waits for the change, and tells what it has become.
    let announcer = world.announcer();
    let mut telling = JoinSet::new();
    telling.spawn(async move { announcer.step().await });
    eventually("it to wait for the row", async || {
        let waiting: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .fetch_one(&world.database.admin())
        .await
        .unwrap();
        waiting.then_some(())
    })
    .await;
    tx.commit().await.unwrap();
    assert!(telling.join_next().await.unwrap().unwrap().unwrap());
    world.relay().await;
    world.until_sent().await;
    assert_eq!(world.state(&video).await.unwrap().0, 2);
    world.shut_down().await;
}

#[tokio::test]
async fn an_announcement_goes_on_where_it_was_killed() {
    let world = World::new().await;
    for video in ids(5) {
        enter(&world, &video, 1).await;
    }
    assert!(world.announcer().step().await.unwrap());
    let begun = progress(&world.writer, CONTEXT).await.unwrap().unwrap();
    assert_eq!((begun.told, begun.done_at, begun.kind.as_str()), (2, None, "Video"));
    // Asked once more it does not begin again.
    assert!(!world.ask_again().await);
    while world.announcer().step().await.unwrap() {}
    let done = progress(&world.writer, CONTEXT).await.unwrap().unwrap();
    assert_eq!(done.told, 5);
    assert!(done.done_at.is_some());

    assert!(world.ask_again().await);
    while world.announcer().step().await.unwrap() {}
    let again = progress(&world.writer, CONTEXT).await.unwrap().unwrap();
    assert_eq!((again.told, again.unsent), (5, 6), "what was not sent of the first is not sent");
}

#[tokio::test]
async fn an_erased_state_is_gone() {
    let (mut world, videos) = World::settled(2).await;
    assert!(world.state(&videos[0]).await.is_some());
    let mut tx = world.writer.begin(Scope::System("forget a video")).await.unwrap();
    events::erase_state(&mut tx, CONTEXT, "Video", &videos[0]).await.unwrap();
    tx.commit().await.unwrap();
    world.until_sent().await;
    assert!(world.state(&videos[0]).await.is_none());
    assert!(world.state(&videos[1]).await.is_some());
    world.shut_down().await;
}

#[tokio::test]
async fn what_is_to_be_erased_is_erased_though_all_is_told_again() {
    let (mut world, videos) = World::settled(2).await;
    world.until_told().await;
    world.shut_down().await;
    sqlx::query("DELETE FROM training.videos WHERE video_id = $1::uuid")
        .bind(&videos[0])
        .execute(&world.database.admin())
        .await
        .unwrap();
    let mut tx = world.writer.begin(Scope::System("forget a video")).await.unwrap();
    events::erase_state(&mut tx, CONTEXT, "Video", &videos[0]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(world.ask_again().await);

    world.stop = CancellationToken::new();
    world.relay().await;
    world.announce();
    world.until_told().await;
    assert!(world.state(&videos[0]).await.is_none());
    assert!(world.state(&videos[1]).await.is_some());
    world.shut_down().await;
}

#[tokio::test]
async fn a_leader_that_slept_over_an_erasure_takes_no_state_told_since() {
    let (mut world, videos) = World::settled(1).await;
    world.until_told().await;
    world.shut_down().await;
    let mut tx = world.writer.begin(Scope::System("forget a video")).await.unwrap();
    events::erase_state(&mut tx, CONTEXT, "Video", &videos[0]).await.unwrap();
    tx.commit().await.unwrap();
    let halt = Halt::at(Point::BeforeStates);
    let stop = CancellationToken::new();
    let sleepy = Pace { idle_timeout: Duration::from_millis(300), ..quick() };
    let mut sleeper = JoinSet::new();
    let relay = world.replica().await.with_pace(sleepy).halted(halt.clone());
    sleeper.spawn(relay.run(stop.clone()));
    halt.reached().await;

    world.stop = CancellationToken::new();
    world.relay().await;
    change(&world, &videos[0], 3).await;
    world.until_sent().await;
    assert_eq!(world.state(&videos[0]).await.unwrap().0, 3);
    halt.release();
    // It has woken when it stands by again; shutdown waits for that.
    stop.cancel();
    sleeper.join_all().await;
    assert_eq!(world.state(&videos[0]).await.unwrap().0, 3);
    world.shut_down().await;
}

#[tokio::test]
async fn what_has_ended_does_not_stay_for_ever() {
    let mut world = World::new().await;
    world.relay().await;
    let fact = proto::training::v1::TrainingCompleted {
        site_id: world.site.to_string(),
        daily_ticket_id: "day".to_owned(),
        worker_id: "worker".to_owned(),
        version: 1,
        ..Default::default()
    };
    let video = ids(1).remove(0);
    let mut tx = world.writer.begin(Scope::Site(world.site)).await.unwrap();
    events::enqueue(&mut tx, &fact, at()).await.unwrap();
    crate::owner::write(&mut tx, &world, &video, 1).await;
    events::enqueue(&mut tx, &crate::owner::fact(&world, &video, 1), at()).await.unwrap();
    tx.commit().await.unwrap();
    world.until_sent().await;
    let subject = state_subject(&world.prefix, CONTEXT, "TrainingDay", "day/worker");
    let ended = world.states().await.get_last_raw_message_by_subject(&subject).await.unwrap();
    assert_eq!(ended.headers.get("Nats-TTL").unwrap().as_str(), "1209600");
    let (_, headers) = world.state(&video).await.unwrap();
    assert!(headers.get("Nats-TTL").is_none());
    world.shut_down().await;
}
