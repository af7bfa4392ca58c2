//! With a broker of the test's own, which is killed.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use events::{Pace, Patience};
use servers::PrivateNats;
use test_support::eventually;

use crate::world::{Recorder, World, patient, quick};

#[tokio::test]
async fn commands_go_on_while_the_broker_is_down_and_everything_arrives_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut nats = PrivateNats::start(folder.path(), true, None).unwrap();
    let mut world = World::on(&nats.url(), "sitepass".to_owned()).await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(0..10).await;
    world.until_effects(10).await;

    nats.kill().unwrap();
    world.publish(10..30).await;
    nats.restart().unwrap();
    world.publish(30..35).await;
    world.until_effects(35).await;
    world.until_sent().await;
    assert_eq!(world.streamed().await, world.written().await);
    world.shut_down().await;
    world.assert_effects_once(35).await;
}

#[tokio::test]
async fn a_consumer_asks_again_as_soon_as_the_broker_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut nats = PrivateNats::start(folder.path(), true, None).unwrap();
    let mut world = World::on(&nats.url(), "sitepass".to_owned()).await;
    world.relay().await;
    // Silence alone would be noticed after half a minute, a delivery that is missing after a whole one.
    let patience = Patience {
        heartbeat: Duration::from_secs(10),
        ack_wait: Duration::from_mins(1),
        ..patient()
    };
    let consumer = world.consumer(Recorder::default()).with_patience(patience);
    world.running.spawn(consumer.run(world.stop.clone()));
    world.publish(0..3).await;
    world.until_effects(3).await;

    nats.kill().unwrap();
    nats.restart().unwrap();
    let back = Instant::now();
    world.publish(3..6).await;
    world.until_effects(6).await;
    assert!(back.elapsed() < Duration::from_secs(15), "{:?}", back.elapsed());
    world.shut_down().await;
}

#[tokio::test]
async fn an_answer_that_died_with_its_broker_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut nats = PrivateNats::start(folder.path(), true, None).unwrap();
    let mut world = World::on(&nats.url(), "sitepass".to_owned()).await;
    // The answer to a batch alone would be given up after half an hour.
    let relay = world.replica().await;
    let relay = relay.with_pace(Pace { confirmation: Duration::from_mins(30), ..quick() });
    world.running.spawn(relay.run(world.stop.clone()));
    world.consume(Recorder::default());
    world.publish(0..3).await;
    world.until_effects(3).await;

    nats.pause();
    let sent = || world.client.statistics().out_messages.load(Ordering::Relaxed);
    let before = sent();
    world.publish_all(3..203).await;
    eventually("a batch on its way", async || (sent() >= before + 200).then_some(())).await;
    nats.kill().unwrap();
    nats.restart().unwrap();
    world.until_effects(203).await;
    world.until_sent().await;
    assert_eq!(world.streamed().await, world.written().await);
    world.shut_down().await;
    world.assert_effects_once(203).await;
}

#[tokio::test]
async fn a_broker_whose_folder_was_deleted_is_filled_again_from_the_outbox() {
    let folder = tempfile::tempdir().unwrap();
    let mut nats = PrivateNats::start(folder.path(), true, None).unwrap();
    let mut world = World::on(&nats.url(), "sitepass".to_owned()).await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(0..10).await;
    world.until_effects(10).await;
    world.until_sent().await;

    nats.kill().unwrap();
    std::fs::remove_dir_all(nats.streams()).unwrap();
    nats.restart().unwrap();
    world.publish(10..12).await;
    world.until_effects(12).await;
    eventually("all to be in the stream", async || {
        (world.streamed().await.len() == 12).then_some(())
    })
    .await;
    world.shut_down().await;
    world.assert_effects_once(12).await;
}

#[tokio::test]
async fn a_broker_that_froze_stores_nothing_twice_when_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let nats = PrivateNats::start(folder.path(), true, None).unwrap();
    let mut world = World::on(&nats.url(), "sitepass".to_owned()).await;
    world.forgetful_stream().await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(0..10).await;
    world.until_effects(10).await;

    nats.pause();
    world.publish(10..20).await;
    // Longer than the relay waits for a confirmation: the outcome is unknown to it.
    let started = std::time::Instant::now();
    eventually("the relay to be in doubt", async || {
        (started.elapsed().as_millis() > 1_500).then_some(())
    })
    .await;
    nats.resume();
    world.until_effects(20).await;
    world.until_sent().await;
    assert_eq!(world.streamed().await, world.written().await);
    world.shut_down().await;
    world.assert_effects_once(20).await;
}

#[tokio::test]
async fn a_broker_that_stays_away_holds_neither_the_lead_nor_a_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let mut nats = PrivateNats::start(folder.path(), true, None).unwrap();
    let mut world = World::on(&nats.url(), "sitepass".to_owned()).await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(0..3).await;
    world.until_effects(3).await;

    nats.kill().unwrap();
    // As after minutes of questions: one more is not taken before there is a connection again.
    let ask = || world.client.publish("nobody", "".into());
    while tokio::time::timeout(Duration::from_millis(200), ask()).await.is_ok() {}
    let terms = world.epoch().await;
    world.publish(3..5).await;
    eventually("the lead to be free now and then", async || {
        (world.epoch().await > terms + 2).then_some(())
    })
    .await;
    tokio::time::timeout(Duration::from_secs(10), world.shut_down()).await.expect("it ends");
}
