//! Many events in one transaction, and what becomes of them when one of them cannot be taken.

use std::time::{Duration, Instant};

use events::testing::{Halt, Point};
use events::{Patience, parked};
use rand::seq::SliceRandom;
use test_support::eventually;
use tokio::task::JoinSet;

use crate::world::{Recorder, World, at, consumer_info, patient, until_acknowledged};

#[tokio::test]
async fn what_waits_is_taken_in_one_transaction_and_acknowledged_one_by_one() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..30).await;
    world.until_sent().await;
    // Its first batch is held before the commit, so that all others are at hand when it ends.
    let halt = Halt::at(Point::BeforeCommit);
    let consumer = world.consumer(Recorder::default()).halted(halt.clone());
    world.running.spawn(consumer.run(world.stop.clone()));
    halt.reached().await;
    assert_eq!(world.effects().await.len(), 0, "nothing is committed yet");
    let info = consumer_info(&world).await.unwrap();
    assert_eq!(info.ack_floor.stream_sequence, 0, "nothing is acknowledged before the commit");
    eventually("the others to be in hand", async || {
        (consumer_info(&world).await?.num_ack_pending == 30).then_some(())
    })
    .await;
    halt.release();
    world.until_effects(30).await;
    until_acknowledged(&world).await;
    world.shut_down().await;
    world.assert_effects_once(30).await;
    let transactions: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT xmin::text) FROM reader.effects")
            .fetch_one(&world.database.admin())
            .await
            .unwrap();
    assert!(transactions <= 3, "{transactions} transactions for 30 events");
    let info = consumer_info(&world).await.unwrap();
    assert_eq!((info.ack_floor.stream_sequence, info.num_redelivered), (30, 0));
    assert_eq!(info.delivered.consumer_sequence, 30, "a message was delivered twice");
}

#[tokio::test]
async fn a_backlog_is_taken_in_transactions_as_large_as_the_handler_allows() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish_all(0..64).await;
    world.until_sent().await;
    let halt = Halt::at(Point::BeforeCommit);
    let recorder = Recorder { batch: 7, ..Recorder::default() };
    world.running.spawn(world.consumer(recorder).halted(halt.clone()).run(world.stop.clone()));
    halt.reached().await;
    eventually("all to be in hand", async || {
        (consumer_info(&world).await?.num_ack_pending == 64).then_some(())
    })
    .await;
    halt.release();
    world.until_effects(64).await;
    until_acknowledged(&world).await;
    world.shut_down().await;
    world.assert_effects_once(64).await;
    let sizes: Vec<i64> = sqlx::query_scalar(
        "SELECT count(*) FROM reader.effects GROUP BY xmin::text ORDER BY count(*) DESC",
    )
    .fetch_all(&world.database.admin())
    .await
    .unwrap();
    assert_eq!(sizes[0], 7, "{sizes:?}");
    // Those that came before the hold, and those that came during it: each a last part that is not full.
    assert!(sizes.len() <= 11, "{sizes:?}");
}

#[tokio::test]
async fn a_poison_event_in_a_backlog_is_parked_alone() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish_all(0..60).await;
    world.until_sent().await;
    let recorder = Recorder { batch: 7, ..Recorder::failing(&[(4, "park"), (31, "panic")]) };
    world.consume(recorder);
    world.until_effects(58).await;
    until_acknowledged(&world).await;
    world.shut_down().await;
    assert_eq!(parked::total(&world.reader, None).await.unwrap(), 2);
    assert_eq!(world.effects().await.len(), 58, "each of the others has its effect once");
}

#[tokio::test]
async fn a_poison_event_in_a_batch_is_parked_alone_and_the_others_flow() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..30).await;
    world.until_sent().await;
    let poison = [(4, "panic"), (11, "park"), (17, "retry"), (23, "swallow")];
    world.consume(Recorder::failing(&poison));
    world.until_effects(26).await;
    until_acknowledged(&world).await;
    world.shut_down().await;
    let mut parked: Vec<String> = parked::list(&world.reader, None, 100)
        .await
        .unwrap()
        .into_iter()
        .map(|parked| parked.error)
        .collect();
    parked.sort();
    assert_eq!(parked.len(), 4, "{parked:?}");
    assert_eq!(world.effects().await.len(), 26, "each of the others has its effect once");
}

#[tokio::test]
async fn a_batch_sees_all_its_sites_and_no_other() {
    let mut world = World::new().await;
    let sites = [world.site, types::SiteId::new()];
    for subject in 0..6 {
        world.site = sites[subject % 2];
        world.publish(subject..subject + 1).await;
    }
    world.relay().await;
    world.until_sent().await;
    let halt = Halt::at(Point::BeforeCommit);
    let consumer = world.consumer(Recorder::default()).halted(halt.clone());
    world.running.spawn(consumer.run(world.stop.clone()));
    eventually("all to be in hand", async || {
        (consumer_info(&world).await?.num_ack_pending == 6).then_some(())
    })
    .await;
    halt.release();
    world.until_effects(6).await;
    world.shut_down().await;
    // Whatever the first batch held, it or the next was of both.
    let seen: Vec<String> = sqlx::query_scalar("SELECT DISTINCT sites FROM reader.effects")
        .fetch_all(&world.database.admin())
        .await
        .unwrap();
    let mut both = sites.map(|site| site.to_string());
    both.sort();
    assert!(seen.contains(&format!("{{{}}}", both.join(","))), "{seen:?}");
    for scope in seen {
        let scope = scope.trim_matches(['{', '}']);
        assert!(scope.split(',').all(|site| both.iter().any(|known| known == site)), "{scope}");
    }
}

#[tokio::test]
async fn each_aggregate_keeps_its_order_in_lanes_that_work_at_once() {
    let mut world = World::new().await;
    world.relay().await;
    for version in 1..=20 {
        let mut tx = world.writer.begin(service::Scope::Site(world.site)).await.unwrap();
        for subject in 0..6 {
            events::enqueue(&mut tx, &world.fact(subject, version), at()).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    world.until_sent().await;
    world.consume(Recorder { lanes: 3, batch: 7, ..Recorder::default() });
    world.until_effects(120).await;
    world.shut_down().await;
    let overtaken: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT o.seq, lag(o.seq) OVER (PARTITION BY e.subject ORDER BY e.id) AS before
             FROM reader.effects e JOIN training.outbox o USING (event_id)) AS taken
         WHERE before > seq",
    )
    .fetch_one(&world.database.admin())
    .await
    .unwrap();
    assert_eq!(overtaken, 0);
}

#[tokio::test]
async fn lanes_work_at_once() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..12).await;
    world.until_sent().await;
    let halt = Halt::at(Point::BeforeCommit);
    let recorder = Recorder { lanes: 2, ..Recorder::default() };
    world.running.spawn(world.consumer(recorder).halted(halt.clone()).run(world.stop.clone()));
    eventually("two transactions to be open", async || (halt.times() == 2).then_some(())).await;
    halt.release();
    world.until_effects(12).await;
    world.shut_down().await;
    world.assert_effects_once(12).await;
}

#[tokio::test]
async fn a_handler_slower_than_the_acknowledgement_wait_is_delivered_nothing_twice() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..6).await;
    world.until_sent().await;
    let halt = Halt::at(Point::BeforeCommit);
    let brief = Patience { ack_wait: Duration::from_millis(300), ..patient() };
    let slow = Recorder { batch: 2, ..Recorder::default() };
    let consumer = world.consumer(slow).with_patience(brief).halted(halt.clone());
    world.running.spawn(consumer.run(world.stop.clone()));
    halt.reached().await;
    let started = Instant::now();
    eventually("five acknowledgement waits to pass", async || {
        (started.elapsed() > Duration::from_millis(1_500)).then_some(())
    })
    .await;
    let info = consumer_info(&world).await.unwrap();
    assert_eq!((info.num_redelivered, info.delivered.consumer_sequence), (0, 6));
    halt.release();
    world.until_effects(6).await;
    until_acknowledged(&world).await;
    let info = consumer_info(&world).await.unwrap();
    assert_eq!((info.num_redelivered, info.delivered.consumer_sequence), (0, 6));
    world.shut_down().await;
    world.assert_effects_once(6).await;
}

#[tokio::test]
async fn a_slow_consumer_has_a_bounded_number_in_hand() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..150).await;
    world.until_sent().await;
    let halt = Halt::at(Point::BeforeCommit);
    let consumer = world.consumer(Recorder::alone()).halted(halt.clone());
    world.running.spawn(consumer.run(world.stop.clone()));
    halt.reached().await;
    let info = eventually("its hand to be full", async || {
        consumer_info(&world).await.filter(|info| info.num_ack_pending == 64)
    })
    .await;
    assert_eq!(info.num_pending, 86, "the others stay with the broker");
    halt.release();
    world.until_effects(150).await;
    until_acknowledged(&world).await;
    // A request that is fulfilled is followed by the next: nothing is given back and delivered again.
    let info = consumer_info(&world).await.unwrap();
    assert_eq!((info.num_redelivered, info.delivered.consumer_sequence), (0, 150));
    world.shut_down().await;
    world.assert_effects_once(150).await;
}

#[tokio::test]
async fn every_message_five_times_late_and_in_any_order_has_its_effect_once() {
    let mut world = World::new().await;
    world.forgetful_stream().await;
    world.relay().await;
    for version in 1..=8 {
        let mut tx = world.writer.begin(service::Scope::Site(world.site)).await.unwrap();
        for subject in 0..4 {
            events::enqueue(&mut tx, &world.fact(subject, version), at()).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    world.until_sent().await;
    let sent = world.published().await;
    let mut messages: Vec<_> = std::iter::repeat_n(sent, 4).flatten().collect();
    messages.shuffle(&mut rand::rng());
    world.publish_again(messages.clone()).await;
    // Two replicas, each with lanes and batches, read what is there.
    let mut replicas = JoinSet::new();
    for _ in 0..2 {
        let store = world.database.store("reader").await;
        let recorder = Recorder { lanes: 2, batch: 9, ..Recorder::default() };
        let consumer =
            events::Consumer::new(world.bus.clone(), store, recorder).with_patience(patient());
        replicas.spawn(consumer.run(world.stop.clone()));
    }
    eventually("the stream to be read", async || {
        let info = consumer_info(&world).await?;
        (info.num_pending == 0 && info.num_ack_pending == 0).then_some(())
    })
    .await;
    // Long after everything was acknowledged, once more.
    world.publish_again(messages).await;
    eventually("the stream to be read again", async || {
        let info = consumer_info(&world).await?;
        (info.delivered.stream_sequence == 288 && info.num_ack_pending == 0).then_some(())
    })
    .await;
    world.stop.cancel();
    replicas.join_all().await;
    world.shut_down().await;
    assert_eq!(world.effects().await.len(), 32);
    let newest: Vec<i64> = sqlx::query_scalar("SELECT version FROM reader.newest")
        .fetch_all(&world.database.admin())
        .await
        .unwrap();
    assert_eq!(newest, [8; 4]);
}

#[tokio::test]
async fn new_events_among_repeats_reach_a_handler_that_is_alone_in_its_transaction() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..60).await;
    world.until_sent().await;
    let first = world.consumer(Recorder::alone());
    let stop = world.stop.child_token();
    let running = first.run(stop.clone());
    let taken = async {
        world.until_effects(60).await;
        stop.cancel();
    };
    tokio::join!(running, taken);
    // All comes again, and some for the first time.
    let (durable, stream) = ("reader--record", world.stream_name());
    world.jetstream().delete_consumer_from_stream(durable, stream).await.unwrap();
    world.publish(60..90).await;
    world.until_sent().await;
    world.consume(Recorder::alone());
    world.until_effects(90).await;
    until_acknowledged(&world).await;
    world.shut_down().await;
    world.assert_effects_once(90).await;
    let transactions: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT xmin::text) FROM reader.effects")
            .fetch_one(&world.database.admin())
            .await
            .unwrap();
    assert_eq!(transactions, 90, "each is alone in its transaction");
}
