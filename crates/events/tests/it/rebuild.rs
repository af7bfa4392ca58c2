//! Streams that lost something, and how the outbox makes them whole.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use events::testing::{Halt, Point};
use events::{Pace, rebuild, subject};
use servers::PrivateNats;
use test_support::eventually;
use tokio::task::JoinSet;

use crate::streamed::assert_same;
use crate::world::{CONTEXT, Recorder, World, quick, until_forgotten};

/// Notices at once what it would find within a minute.
fn watchful() -> Pace {
    Pace { look: Duration::from_millis(50), ..quick() }
}

async fn watch(world: &mut World) {
    let relay = world.replica().await.with_pace(watchful());
    world.running.spawn(relay.run(world.stop.clone()));
}

async fn assert_whole(world: &World) {
    let check = rebuild::check(&world.writer, &world.bus, CONTEXT).await.unwrap();
    assert!(!check.differs(), "{check:?}");
}

#[tokio::test]
async fn a_deleted_folder_is_rebuilt_at_the_same_places_while_commands_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut nats = PrivateNats::start(folder.path(), true, None).unwrap();
    let mut world = World::on(&nats.url(), "sitepass".to_owned()).await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish_all(0..1200).await;
    world.until_effects(1200).await;
    world.until_sent().await;
    let before = world.placed().await;
    assert_same(&before, &world.held().await);

    nats.kill().unwrap();
    std::fs::remove_dir_all(nats.streams()).unwrap();
    world.publish(1200..1205).await;
    nats.restart().unwrap();
    world.publish(1205..1210).await;
    world.until_sent().await;
    world.until_effects(1210).await;
    let after = world.held().await;
    assert_same(&after[..1200], &before);
    assert_same(&after, &world.placed().await);
    assert_whole(&world).await;
    world.shut_down().await;
    world.assert_effects_once(1210).await;
}

#[tokio::test]
async fn an_older_copy_of_the_folder_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let mut nats = PrivateNats::start(folder.path(), true, None).unwrap();
    let mut world = World::on(&nats.url(), "sitepass".to_owned()).await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish_all(0..300).await;
    world.until_effects(300).await;
    nats.kill().unwrap();
    let older = folder.path().join("older");
    copy(&nats.streams(), &older);
    nats.restart().unwrap();
    world.publish_all(300..700).await;
    world.until_effects(700).await;
    world.until_sent().await;
    let before = world.placed().await;

    nats.kill().unwrap();
    std::fs::remove_dir_all(nats.streams()).unwrap();
    copy(&older, &nats.streams());
    nats.restart().unwrap();
    world.publish(700..705).await;
    world.until_effects(705).await;
    world.until_sent().await;
    let after = world.held().await;
    assert_same(&after[..700], &before);
    assert_same(&after, &world.placed().await);
    world.shut_down().await;
    world.assert_effects_once(705).await;
}

/// Keeps owners, which the server needs when the tests run as root.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

#[tokio::test]
async fn a_relay_killed_while_it_rebuilds_leaves_the_rest_to_the_next() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish_all(0..2500).await;
    world.until_sent().await;
    let before = world.placed().await;
    world.shut_down().await;
    world.jetstream().delete_stream(world.stream_name()).await.unwrap();

    world.stop = tokio_util::sync::CancellationToken::new();
    for rebuilt in [1000, 2000] {
        let halt = Halt::at(Point::BeforeMark);
        let mut killed = JoinSet::new();
        killed.spawn(world.replica().await.halted(halt.clone()).run(world.stop.clone()));
        halt.reached().await;
        killed.shutdown().await;
        assert_same(&world.held().await, &before[..rebuilt]);
    }
    world.relay().await;
    world.publish_all(2500..2510).await;
    world.until_sent().await;
    world.until_streamed(2510).await;
    assert_same(&world.held().await[..2500], &before);
    assert_same(&world.held().await, &world.placed().await);
    world.shut_down().await;
}

#[tokio::test]
async fn facts_keep_their_places_when_those_before_them_are_no_longer_kept() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish_all(0..300).await;
    world.until_sent().await;
    world.shut_down().await;
    sqlx::query("DELETE FROM training.outbox WHERE stream_seq <= 120")
        .execute(&world.database.admin())
        .await
        .unwrap();
    let before = world.placed().await;
    world.jetstream().delete_stream(world.stream_name()).await.unwrap();

    world.stop = tokio_util::sync::CancellationToken::new();
    world.relay().await;
    world.until_streamed(180).await;
    world.publish_all(300..301).await;
    world.until_sent().await;
    assert_same(&world.held().await[..180], &before);
    assert_eq!(before[0].0, 121);
    world.shut_down().await;
}

#[tokio::test]
async fn places_that_were_not_ours_do_not_come_back_and_nothing_is_sent_twice() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish_all(0..1300).await;
    world.until_sent().await;
    let name = subject(&world.prefix, CONTEXT, "TrainingStarted", "-");
    for _ in 0..3 {
        world.client.publish(name.clone(), "not ours".into()).await.unwrap();
    }
    world.client.flush().await.unwrap();
    world.until_streamed(1303).await;
    world.publish_all(1300..2600).await;
    world.until_sent().await;
    world.shut_down().await;
    assert_eq!(world.placed().await.last().unwrap().0, 2603);
    world.jetstream().delete_stream(world.stream_name()).await.unwrap();

    world.stop = tokio_util::sync::CancellationToken::new();
    for _ in 0..2 {
        let halt = Halt::at(Point::BeforeMark);
        let mut killed = JoinSet::new();
        killed.spawn(world.replica().await.halted(halt.clone()).run(world.stop.clone()));
        halt.reached().await;
        killed.shutdown().await;
    }
    world.relay().await;
    world.until_streamed(2600).await;
    world.publish_all(2600..2601).await;
    world.until_sent().await;
    assert_same(&world.streamed().await, &world.written().await);
    assert_same(&world.held().await, &world.placed().await);
    world.shut_down().await;
}

#[tokio::test]
async fn a_purged_head_is_published_again_behind_the_rest() {
    let mut world = World::new().await;
    watch(&mut world).await;
    world.consume(Recorder::default());
    world.publish_all(0..300).await;
    world.until_effects(300).await;
    world.until_sent().await;
    until_forgotten().await;
    let stream = world.jetstream().get_stream(world.stream_name()).await.unwrap();
    stream.purge().sequence(121).await.unwrap();
    world.until_streamed(300).await;
    world.until_sent().await;
    let (written, streamed) = (world.written().await, world.streamed().await);
    assert_same(&streamed[..180], &written[120..]);
    assert_same(&streamed[180..], &written[..120]);
    assert_whole(&world).await;
    world.shut_down().await;
    world.assert_effects_once(300).await;
}

#[tokio::test]
async fn a_deleted_message_is_published_again() {
    let mut world = World::new().await;
    watch(&mut world).await;
    world.publish_all(0..20).await;
    world.until_sent().await;
    until_forgotten().await;
    let stream = world.jetstream().get_stream(world.stream_name()).await.unwrap();
    stream.delete_message(7).await.unwrap();
    stream.delete_message(8).await.unwrap();
    world.until_streamed(20).await;
    world.until_sent().await;
    let (mut written, mut streamed) = (world.written().await, world.streamed().await);
    assert_same(&streamed[18..], &written[6..8]);
    written.sort();
    streamed.sort();
    assert_same(&streamed, &written);
    assert_whole(&world).await;
    world.shut_down().await;
}

#[tokio::test]
async fn another_stream_of_the_same_name_gets_all_of_the_outbox() {
    let mut world = World::new().await;
    world.consume(Recorder::default());
    world.relay().await;
    world.publish_all(0..50).await;
    world.until_effects(50).await;
    world.until_sent().await;
    world.shut_down().await;
    world.jetstream().delete_stream(world.stream_name()).await.unwrap();
    world.forgetful_stream().await;
    let name = subject(&world.prefix, CONTEXT, "TrainingStarted", "-");
    for number in 0..60_u128 {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, uuid::Uuid::from_u128(number).to_string());
        world.client.publish_with_headers(name.clone(), headers, "".into()).await.unwrap();
    }
    world.client.flush().await.unwrap();
    world.until_streamed(60).await;
    let check = rebuild::check(&world.writer, &world.bus, CONTEXT).await.unwrap();
    assert!(check.differs());
    assert_eq!((check.missing, check.displaced), (0, 50));

    world.stop = tokio_util::sync::CancellationToken::new();
    world.relay().await;
    world.until_streamed(110).await;
    world.until_sent().await;
    assert_same(&world.streamed().await[60..], &world.written().await);
    assert_whole(&world).await;
    world.shut_down().await;
}

#[tokio::test]
async fn an_outbox_and_a_stream_that_hold_nothing_agree() {
    let mut world = World::new().await;
    watch(&mut world).await;
    eventually("the stream", async || world.jetstream().get_stream(world.stream_name()).await.ok())
        .await;
    assert_whole(&world).await;
    world.shut_down().await;
}

#[tokio::test]
async fn a_stream_lost_while_nothing_happens_is_noticed() {
    let mut world = World::new().await;
    watch(&mut world).await;
    world.publish_all(0..150).await;
    world.until_sent().await;
    let before = world.placed().await;
    world.jetstream().delete_stream(world.stream_name()).await.unwrap();
    let check = rebuild::check(&world.writer, &world.bus, CONTEXT).await.unwrap();
    assert!(check.stream.is_none() == check.differs(), "{check:?}");
    let alerts = eventually("someone to be told, and that it is over", async || {
        let mut told = world.told("training").await;
        told.retain(|name| name.starts_with("Alert"));
        (told.len() == 2).then_some(told)
    })
    .await;
    let stream = world.stream_name();
    assert_eq!(
        alerts,
        [format!("AlertRaised STREAM_LOST {stream}"), format!("AlertCleared STREAM_LOST {stream}")]
    );
    world.until_streamed(150).await;
    assert_same(&world.held().await[..150], &before);
    world.shut_down().await;
}

#[tokio::test]
async fn a_stream_made_by_an_earlier_release_is_brought_to_todays_settings() {
    let mut world = World::new().await;
    world.forgetful_stream().await;
    world.relay().await;
    let config = eventually("the settings to change", async || {
        let stream = world.jetstream().get_stream(world.stream_name()).await.unwrap();
        let config = stream.cached_info().config.clone();
        config.allow_atomic_publish.then_some(config)
    })
    .await;
    assert!(config.allow_direct);
    assert_eq!(config.max_age, Duration::from_hours(14 * 24));
    world.shut_down().await;
}
