use std::time::Duration;

use events::Patience;
use events::testing::{Halt, Point};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::world::{Recorder, World, patient, until_acknowledged};

#[tokio::test]
async fn a_consumer_waits_for_a_stream_that_is_not_there_yet() {
    let mut world = World::new().await;
    world.consume(Recorder::default());
    world.publish(0..3).await;
    world.relay().await;
    world.until_effects(3).await;
    world.shut_down().await;
    world.assert_effects_once(3).await;
}

#[tokio::test]
async fn a_consumer_killed_before_it_acknowledges_does_nothing_twice() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..5).await;
    let halt = Halt::at(Point::BeforeAck);
    let brief = Patience { ack_wait: Duration::from_millis(300), ..patient() };
    let mut killed = JoinSet::new();
    let consumer =
        world.consumer(Recorder::alone()).with_patience(brief.clone()).halted(halt.clone());
    killed.spawn(consumer.run(world.stop.clone()));
    halt.reached().await;
    killed.shutdown().await;
    assert_eq!(world.effects().await.len(), 1, "the effect is committed");

    let consumer = world.consumer(Recorder::default()).with_patience(brief);
    world.running.spawn(consumer.run(world.stop.clone()));
    world.until_effects(5).await;
    until_acknowledged(&world).await;
    world.shut_down().await;
    world.assert_effects_once(5).await;
}

#[tokio::test]
async fn shutdown_finishes_the_event_in_hand_and_gives_the_others_back() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..10).await;
    world.until_sent().await;
    let halt = Halt::at(Point::BeforeAck);
    let (stop, mut first) = (CancellationToken::new(), JoinSet::new());
    first.spawn(world.consumer(Recorder::alone()).halted(halt.clone()).run(stop.clone()));
    halt.reached().await;
    stop.cancel();
    halt.release();
    first.join_all().await;
    assert_eq!(world.effects().await.len(), 1);

    // The acknowledgement wait is a minute: what comes now was given back.
    world.consume(Recorder::default());
    world.until_effects(10).await;
    world.shut_down().await;
    world.assert_effects_once(10).await;
}

#[tokio::test]
async fn a_consumer_that_was_deleted_is_made_anew() {
    let mut world = World::new().await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(0..3).await;
    world.until_effects(3).await;
    world
        .jetstream()
        .delete_consumer_from_stream("reader--record", world.stream_name())
        .await
        .unwrap();
    world.publish(3..6).await;
    world.until_effects(6).await;
    world.shut_down().await;
    world.assert_effects_once(6).await;
}
