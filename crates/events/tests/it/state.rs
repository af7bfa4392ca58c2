//! How things stand, for who was not there when they changed.

use std::time::Duration;

use async_nats::header::HeaderMap;
use async_nats::jetstream::stream::Stream;
use events::testing::{Halt, Point};
use events::{Announcer, Pace, Patience, progress, state_stream_name, state_subject};
use test_support::eventually;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::EventId;

use crate::owner::{Keeper, Owner, change, enter, ids, newest};
use crate::world::{CONTEXT, Recorder, World, at, patient, quick};

impl World {
    pub(crate) fn announcer(&self) -> Announcer<Owner> {
        Announcer::new(self.writer.clone(), Owner).with_pace(Duration::from_millis(20), 2)
    }

    pub(crate) fn announce(&mut self) {
        let announcer = self.announcer();
        self.running.spawn(announcer.run(self.stop.clone()));
    }

    /// Videos at version 2, published.
    pub(crate) async fn settled(count: usize) -> (Self, Vec<String>) {
        let mut world = Self::new().await;
        world.relay().await;
        world.announce();
        let videos = ids(count);
        for version in 1..=2 {
            for video in &videos {
                change(&world, video, version).await;
            }
        }
        world.until_sent().await;
        (world, videos)
    }

    pub(crate) async fn states(&self) -> Stream {
        let name = state_stream_name(&self.prefix, CONTEXT);
        eventually("the stream of states", async || self.jetstream().get_stream(&name).await.ok())
            .await
    }

    /// The version the stream of states has of a video, and its headers.
    pub(crate) async fn state(&self, video: &str) -> Option<(u64, HeaderMap)> {
        let subject = state_subject(&self.prefix, CONTEXT, "Video", video);
        let message = self.states().await.get_last_raw_message_by_subject(&subject).await.ok()?;
        let envelope: proto::common::v1::EventEnvelope =
            prost::Message::decode(message.payload).unwrap();
        Some((envelope.version, message.headers))
    }

    pub(crate) async fn until_told(&self) {
        eventually("the announcement", async || {
            let progress = progress(&self.writer, CONTEXT).await.unwrap()?;
            (progress.done_at.is_some() && progress.unsent == 0).then_some(())
        })
        .await;
    }

    pub(crate) async fn until_known(&self, versions: &[(String, i64)]) {
        eventually("the reader to know", async || (newest(self).await == versions).then_some(()))
            .await;
    }

    /// The reader's schema is not new: its consumer has followed the stream before.
    pub(crate) async fn is_primed(&self, durable: &str) {
        sqlx::query(
            "INSERT INTO reader.consumers (consumer, context, kinds, primed_at, seen_at) VALUES ($1, $2, '{}', $3, now())",
        )
        .bind(durable)
        .bind(CONTEXT)
        .bind(at())
        .execute(&self.database.admin())
        .await
        .unwrap();
    }

    /// A month passes: the facts are no longer in the stream, nor in the outbox.
    pub(crate) async fn forget_facts(&self) {
        let stream = self.jetstream().get_stream(self.stream_name()).await.unwrap();
        sqlx::query("DELETE FROM training.outbox WHERE sent_at IS NOT NULL")
            .execute(&self.database.admin())
            .await
            .unwrap();
        stream.purge().await.unwrap();
    }
}

pub(crate) fn at_version(videos: &[String], version: i64) -> Vec<(String, i64)> {
    let mut known: Vec<(String, i64)> =
        videos.iter().map(|video| (video.clone(), version)).collect();
    known.sort();
    known
}

#[tokio::test]
async fn a_new_consumer_knows_each_live_aggregate_once_though_the_facts_are_gone() {
    let (mut world, videos) = World::settled(5).await;
    world.until_told().await;
    world.forget_facts().await;
    world.consume(Keeper::default());
    world.until_known(&at_version(&videos, 2)).await;
    assert_eq!(world.effects().await.len(), 5, "once each");

    change(&world, &videos[0], 3).await;
    let mut known = at_version(&videos, 2);
    known.iter_mut().find(|(video, _)| *video == videos[0]).unwrap().1 = 3;
    world.until_known(&known).await;
    world.shut_down().await;
}

#[tokio::test]
async fn a_wiped_consumer_is_whole_again() {
    let (mut world, videos) = World::settled(5).await;
    world.until_told().await;
    world.consume(Keeper::default());
    world.until_known(&at_version(&videos, 2)).await;
    world.shut_down().await;
    world.forget_facts().await;

    sqlx::query("TRUNCATE reader.effects, reader.newest, reader.inbox, reader.consumers")
        .execute(&world.database.admin())
        .await
        .unwrap();
    world.stop = CancellationToken::new();
    world.consume(Keeper::default());
    world.until_known(&at_version(&videos, 2)).await;
    world.shut_down().await;
}

#[tokio::test]
async fn a_consumer_that_was_away_for_longer_than_facts_are_kept_is_whole_again() {
    let (mut world, videos) = World::settled(3).await;
    world.until_told().await;
    world.consume(Keeper::default());
    world.until_known(&at_version(&videos, 2)).await;
    world.shut_down().await;
    world.stop = CancellationToken::new();
    world.relay().await;
    for video in &videos {
        change(&world, video, 3).await;
    }
    world.until_sent().await;
    world.forget_facts().await;
    sqlx::query("UPDATE reader.consumers SET seen_at = now() - interval '15 days'")
        .execute(&world.database.admin())
        .await
        .unwrap();
    world.consume(Keeper::default());
    world.until_known(&at_version(&videos, 3)).await;
    world.shut_down().await;
}

#[tokio::test]
async fn a_wiped_consumer_is_given_every_fact_there_still_is() {
    let mut world = World::new().await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(0..3).await;
    world.until_effects(3).await;
    world.shut_down().await;
    sqlx::query("TRUNCATE reader.effects, reader.newest, reader.inbox, reader.consumers")
        .execute(&world.database.admin())
        .await
        .unwrap();
    world.stop = CancellationToken::new();
    world.consume(Recorder::default());
    world.until_effects(3).await;
    world.shut_down().await;
    world.assert_effects_once(3).await;
}

#[tokio::test]
async fn a_wiped_consumer_that_must_not_do_things_twice_goes_on_where_it_was() {
    let (mut world, videos) = World::settled(2).await;
    // What is sent to the pull of the first life comes again soon.
    let brief = Patience { ack_wait: Duration::from_millis(500), ..patient() };
    let first = world.consumer(Keeper::doing_once()).with_patience(brief.clone());
    world.running.spawn(first.run(world.stop.clone()));
    eventually("all facts", async || (world.effects().await.len() == 4).then_some(())).await;
    world.shut_down().await;
    sqlx::query("TRUNCATE reader.effects, reader.newest, reader.inbox, reader.consumers")
        .execute(&world.database.admin())
        .await
        .unwrap();
    world.stop = CancellationToken::new();
    world.relay().await;
    let second = world.consumer(Keeper::doing_once()).with_patience(brief);
    world.running.spawn(second.run(world.stop.clone()));
    change(&world, &videos[1], 3).await;
    world.until_known(&at_version(&videos[1..], 3)).await;
    assert_eq!(world.effects().await.len(), 1, "nothing of the past");
    world.shut_down().await;
}

#[tokio::test]
async fn facts_that_come_after_the_state_they_led_to_are_harmless() {
    let (mut world, videos) = World::settled(3).await;
    world.until_told().await;
    // The facts are all there still: after the states come both versions of each.
    let keeper = Keeper::default();
    world.consume(keeper.clone());
    eventually("all facts", async || {
        let stream = world.jetstream().get_stream(world.stream_name()).await.ok()?;
        let info = stream.consumer_info("reader--keep").await.ok()?;
        (info.num_pending == 0 && info.num_ack_pending == 0).then_some(())
    })
    .await;
    assert!(keeper.calls() >= 6, "the first versions after the states");
    assert_eq!(newest(&world).await, at_version(&videos, 2));
    world.shut_down().await;
}

#[tokio::test]
async fn a_consumer_waits_until_its_owner_has_told_everything() {
    let mut world = World::new().await;
    world.relay().await;
    let keeper = Keeper::default();
    world.consume(keeper.clone());
    // Known to the owner before it had a stream of states, and to nobody by a fact.
    let videos = ids(3);
    for video in &videos {
        enter(&world, video, 1).await;
    }
    let announcer = world.announcer();
    assert!(announcer.step().await.unwrap());
    eventually("a part of the states", async || world.state(&videos[0]).await).await;
    assert!(!primed(&world).await, "a part is not all");

    world.announce();
    world.until_known(&at_version(&videos, 1)).await;
    eventually("it to be written down", async || primed(&world).await.then_some(())).await;
    world.shut_down().await;
}

pub(crate) async fn primed(world: &World) -> bool {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM reader.consumers)")
        .fetch_one(&world.database.admin())
        .await
        .unwrap()
}

#[tokio::test]
async fn of_two_new_replicas_one_reads_the_states() {
    let (mut world, videos) = World::settled(5).await;
    world.until_told().await;
    world.forget_facts().await;
    let (keeper, halt) = (Keeper::default(), Halt::at(Point::BeforePrimed));
    let first = world.consumer(keeper.clone()).halted(halt.clone());
    world.running.spawn(first.run(world.stop.clone()));
    halt.reached().await;
    world.consume(keeper.clone());
    change(&world, &videos[0], 3).await;
    world.until_sent().await;
    assert!(!primed(&world).await);
    halt.release();
    let mut known = at_version(&videos, 2);
    known.iter_mut().find(|(video, _)| *video == videos[0]).unwrap().1 = 3;
    world.until_known(&known).await;
    world.shut_down().await;
    assert_eq!(keeper.calls(), 6, "five states and one fact");
}

#[tokio::test]
async fn a_consumer_killed_while_it_reads_the_states_begins_again() {
    let (mut world, videos) = World::settled(5).await;
    world.until_told().await;
    world.forget_facts().await;
    let halt = Halt::at(Point::BeforePrimed);
    let mut killed = JoinSet::new();
    killed.spawn(
        world.consumer(Keeper::default()).halted(halt.clone()).run(CancellationToken::new()),
    );
    halt.reached().await;
    killed.shutdown().await;
    assert!(!primed(&world).await);

    world.consume(Keeper::default());
    eventually("it to be written down", async || primed(&world).await.then_some(())).await;
    assert_eq!(newest(&world).await, at_version(&videos, 2));
    assert_eq!(world.effects().await.len(), 5, "once each");
    world.shut_down().await;
}

#[tokio::test]
async fn a_stale_leader_puts_no_old_state_back() {
    let mut world = World::new().await;
    let video = ids(1).remove(0);
    change(&world, &video, 1).await;
    let halt = Halt::at(Point::BeforeStates);
    let stop = CancellationToken::new();
    let sleepy = Pace { idle_timeout: Duration::from_millis(300), ..quick() };
    let mut sleeper = JoinSet::new();
    let relay = world.replica().await.with_pace(sleepy).halted(halt.clone());
    sleeper.spawn(relay.run(stop.clone()));
    halt.reached().await;

    world.relay().await;
    change(&world, &video, 2).await;
    world.until_sent().await;
    assert_eq!(world.state(&video).await.unwrap().0, 2);
    halt.release();
    // It has woken when it stands by again; shutdown waits for that.
    stop.cancel();
    sleeper.join_all().await;
    assert_eq!(world.state(&video).await.unwrap().0, 2);
    world.shut_down().await;
}

#[tokio::test]
async fn a_relay_killed_before_it_published_a_state_is_made_good() {
    let mut world = World::new().await;
    let video = ids(1).remove(0);
    change(&world, &video, 1).await;
    let halt = Halt::at(Point::BeforeStates);
    let mut killed = JoinSet::new();
    killed.spawn(world.replica().await.halted(halt.clone()).run(CancellationToken::new()));
    halt.reached().await;
    killed.shutdown().await;
    assert_eq!(world.streamed().await.len(), 1, "the fact is there");
    assert_eq!(world.state(&video).await.map(|state| state.0), None, "its state is not");

    world.relay().await;
    world.until_sent().await;
    assert_eq!(world.state(&video).await.unwrap().0, 1);
    assert_eq!(world.streamed().await.len(), 1);
    world.shut_down().await;
}

#[tokio::test]
async fn of_two_facts_read_back_the_later_is_the_state_whatever_their_ids() {
    let mut world = World::new().await;
    let video = ids(1).remove(0);
    // A clock that was set back between the two, or two processes.
    let early = EventId::new().as_uuid();
    change(&world, &video, 1).await;
    change(&world, &video, 2).await;
    sqlx::query("UPDATE training.outbox SET event_id = $1 WHERE seq = (SELECT max(seq) FROM training.outbox)")
        .bind(early)
        .execute(&world.database.admin())
        .await
        .unwrap();
    let halt = Halt::at(Point::BeforeMark);
    let mut killed = JoinSet::new();
    killed.spawn(world.replica().await.halted(halt.clone()).run(CancellationToken::new()));
    halt.reached().await;
    killed.shutdown().await;
    assert_eq!(world.streamed().await.len(), 2, "both are there, and not marked");

    // Among many others the two are looked up by their ids.
    world.publish_all(0..500).await;
    sqlx::query("ANALYZE training.outbox").execute(&world.database.admin()).await.unwrap();
    world.relay().await;
    world.until_sent().await;
    assert_eq!(world.state(&video).await.unwrap().0, 2);
    world.shut_down().await;
}
