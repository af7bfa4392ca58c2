//! A consumer that is stuck, changed or gone at the broker comes to life again by itself.

use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use events::Patience;
use test_support::eventually;
use tokio_util::sync::CancellationToken;

use crate::world::{Recorder, World, consumer_info, patient, until_acknowledged};

fn watchful() -> Patience {
    Patience { ack_wait: Duration::from_millis(300), ..patient() }
}

#[tokio::test]
async fn a_consumer_that_is_delivered_nothing_is_made_anew_and_someone_is_told() {
    let mut world = World::new().await;
    world.relay().await;
    let consumer = world.consumer(Recorder::default()).with_patience(watchful());
    world.running.spawn(consumer.run(world.stop.clone()));
    world.publish(0..3).await;
    world.until_effects(3).await;
    until_acknowledged(&world).await;
    let stream = world.jetstream().get_stream(world.stream_name()).await.unwrap();
    let tomorrow = consumer_info(&world).await.unwrap().created + Duration::from_hours(24);
    stream.pause_consumer("reader--record", tomorrow).await.unwrap();
    world.publish(3..6).await;
    world.until_effects(6).await;
    let told = eventually("both alerts", async || {
        let told = world.told("reader").await;
        (told.len() == 2).then_some(told)
    })
    .await;
    assert_eq!(
        told,
        [
            "AlertRaised CONSUMER_STUCK reader--record of training",
            "AlertCleared CONSUMER_STUCK reader--record of training"
        ]
    );
    let info = consumer_info(&world).await.unwrap();
    assert_eq!(
        info.config.deliver_policy,
        DeliverPolicy::ByStartSequence { start_sequence: 4 },
        "what was acknowledged is not delivered again"
    );
    world.shut_down().await;
    world.assert_effects_once(6).await;
}

#[tokio::test]
async fn an_alert_that_another_process_told_is_over_once_events_come() {
    let mut world = World::new().await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(0..1).await;
    world.until_effects(1).await;
    world.shut_down().await;
    sqlx::query("UPDATE reader.consumers SET stuck_told = true")
        .execute(&world.database.admin())
        .await
        .unwrap();
    world.stop = CancellationToken::new();
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(1..2).await;
    let told = eventually("the end of the alert", async || {
        let told = world.told("reader").await;
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert_eq!(told, ["AlertCleared CONSUMER_STUCK reader--record of training"]);
    world.shut_down().await;
}

#[tokio::test]
async fn that_nothing_can_be_followed_is_told_until_the_stream_is_there() {
    let mut world = World::new().await;
    let hasty = Patience { unfollowed: Duration::ZERO, ..patient() };
    let consumer = world.consumer(Recorder::default()).with_patience(hasty);
    world.running.spawn(consumer.run(world.stop.clone()));
    let told = eventually("the alert", async || {
        let told = world.told("reader").await;
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert_eq!(told, ["AlertRaised CONSUMER_STUCK reader--record of training"]);
    world.publish(0..1).await;
    world.relay().await;
    let told = eventually("the end of the alert", async || {
        let told = world.told("reader").await;
        (told.len() > 1).then_some(told)
    })
    .await;
    assert_eq!(told[1..], ["AlertCleared CONSUMER_STUCK reader--record of training"]);
    world.shut_down().await;
    world.assert_effects_once(1).await;
}

#[tokio::test]
async fn a_consumer_of_another_release_is_brought_to_this_ones_settings() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..4).await;
    world.until_sent().await;
    let stream = world.jetstream().get_stream(world.stream_name()).await.unwrap();
    let older = pull::Config {
        durable_name: Some("reader--record".to_owned()),
        filter_subject: format!("{}.training.v1.TrainingCompleted.*", world.prefix),
        ack_policy: AckPolicy::Explicit,
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: 2 },
        ack_wait: Duration::from_secs(5),
        ..Default::default()
    };
    let _: consumer::PullConsumer = stream.create_consumer(older).await.unwrap();
    world.is_primed("reader--record").await;
    world.consume(Recorder::default());
    world.until_effects(3).await;
    let info = consumer_info(&world).await.unwrap();
    assert_eq!(
        info.config.filter_subjects,
        [format!("{}.training.v1.TrainingStarted.*", world.prefix)]
    );
    assert_eq!(info.config.deliver_policy, DeliverPolicy::ByStartSequence { start_sequence: 2 });
    world.shut_down().await;
}

#[tokio::test]
async fn a_consumer_that_cannot_be_changed_is_made_anew() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..4).await;
    world.until_sent().await;
    let stream = world.jetstream().get_stream(world.stream_name()).await.unwrap();
    let other = pull::Config {
        durable_name: Some("reader--record".to_owned()),
        ack_policy: AckPolicy::None,
        ..Default::default()
    };
    let _: consumer::PullConsumer = stream.create_consumer(other).await.unwrap();
    world.is_primed("reader--record").await;
    world.consume(Recorder::default());
    world.until_effects(4).await;
    assert_eq!(consumer_info(&world).await.unwrap().config.ack_policy, AckPolicy::Explicit);
    world.shut_down().await;
    world.assert_effects_once(4).await;
}

#[tokio::test]
async fn a_stream_that_was_deleted_under_a_consumer_is_followed_again_once_it_is_there() {
    let mut world = World::new().await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(0..5).await;
    world.until_effects(5).await;
    world.until_sent().await;
    world.jetstream().delete_stream(world.stream_name()).await.unwrap();
    world.publish(5..8).await;
    world.until_effects(8).await;
    world.shut_down().await;
    world.assert_effects_once(8).await;
}
