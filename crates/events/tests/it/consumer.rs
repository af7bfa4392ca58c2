use std::time::Duration;

use events::testing::{Halt, Point};
use events::{Patience, parked, subject};
use rand::seq::SliceRandom;
use test_support::eventually;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::world::{Recorder, World, patient};

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
async fn repeats_and_disorder_change_nothing() {
    let mut world = World::new().await;
    world.relay().await;
    for version in 1..=10 {
        let mut tx = world.writer.begin(service::Scope::Site(world.site)).await.unwrap();
        events::enqueue(&mut tx, &world.fact(0, version), crate::world::at()).await.unwrap();
        tx.commit().await.unwrap();
    }
    world.until_sent().await;
    // The same messages four times more, as after a wrong restore, in any order.
    let stream = world.jetstream().get_stream(world.stream_name()).await.unwrap();
    let mut again = Vec::new();
    for place in 1..=10 {
        let message = stream.get_raw_message(place).await.unwrap();
        again.extend(std::iter::repeat_n((message.subject, message.payload), 4));
    }
    again.shuffle(&mut rand::rng());
    for (subject, payload) in again {
        world.client.publish(subject, payload).await.unwrap();
    }
    world.client.flush().await.unwrap();
    for _ in 0..2 {
        world.consume(Recorder::default());
    }
    eventually("the stream to be read", async || {
        let info = consumer_info(&world).await?;
        (info.delivered.stream_sequence == 50 && info.num_ack_pending == 0).then_some(())
    })
    .await;
    world.shut_down().await;
    assert_eq!(world.effects().await.len(), 10);
    let newest: i64 = sqlx::query_scalar("SELECT version FROM reader.newest")
        .fetch_one(&world.database.admin())
        .await
        .unwrap();
    assert_eq!(newest, 10);
}

#[tokio::test]
async fn a_poison_event_is_parked_and_the_others_flow() {
    let mut world = World::new().await;
    let recorder = Recorder::failing(&[(1, "park"), (3, "panic"), (5, "retry"), (7, "once")]);
    world.relay().await;
    world.consume(recorder.clone());
    world.publish(0..10).await;
    let name = subject(&world.prefix, "training", "TrainingStarted", &world.site.to_string());
    world.until_effects(7).await;
    world.client.publish(name, "no envelope".into()).await.unwrap();
    let waiting = eventually("four parked events", async || {
        let parked = parked::list(&world.reader, None, 100).await.unwrap();
        (parked.len() == 4).then_some(parked)
    })
    .await;
    let errors: Vec<(&str, i32)> =
        waiting.iter().map(|parked| (parked.error.as_str(), parked.attempts)).collect();
    assert!(errors.contains(&("never", 1)), "{errors:?}");
    assert!(errors.contains(&("the handler panicked: poisoned", 1)), "{errors:?}");
    assert!(errors.contains(&("not now", 3)), "{errors:?}");
    assert!(
        errors.iter().any(|(error, _)| error.starts_with("the envelope cannot be read")),
        "{errors:?}"
    );
    until_acknowledged(&world).await;
    assert_eq!(world.effects().await.len(), 7);

    // Asked back before its cause is mended it is parked again, with a new error or the old one.
    let never = waiting.iter().find(|parked| parked.error == "never").unwrap().event;
    assert_eq!(parked::resend(&world.reader, never).await.unwrap(), 1);
    eventually("it to be parked again", async || {
        let parked = parked::list(&world.reader, None, 100).await.unwrap();
        parked.iter().any(|parked| parked.event == never && parked.attempts == 2).then_some(())
    })
    .await;

    recorder.fails.lock().unwrap().clear();
    for parked in &waiting {
        parked::resend(&world.reader, parked.event).await.unwrap();
    }
    world.until_effects(10).await;
    eventually("only the unreadable one to stay", async || {
        (parked::list(&world.reader, None, 100).await.unwrap().len() == 1).then_some(())
    })
    .await;
    world.shut_down().await;
    world.assert_effects_once(10).await;
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

async fn consumer_info(world: &World) -> Option<async_nats::jetstream::consumer::Info> {
    let stream = world.jetstream().get_stream(world.stream_name()).await.ok()?;
    stream.consumer_info("reader--record").await.ok()
}

async fn until_acknowledged(world: &World) {
    eventually("acknowledgements", async || {
        let info = consumer_info(world).await?;
        (info.num_ack_pending == 0 && info.num_pending == 0).then_some(())
    })
    .await;
}
