use std::time::Duration;

use events::testing::{Halt, Point};
use events::{Bus, Pace, Relay, subject};
use service::Scope;
use test_support::{NetFault, eventually};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::world::{CONTEXT, Recorder, World, at, quick, until_forgotten};

#[tokio::test]
async fn committed_facts_reach_the_stream_once_and_in_their_order() {
    let mut world = World::new().await;
    for _ in 0..3 {
        world.relay().await;
    }
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let (store, site) = (world.writer.clone(), world.site);
        let facts: Vec<_> = (1..=50).map(|version| world.fact(writer, version)).collect();
        writers.spawn(async move {
            for fact in facts {
                let mut tx = store.begin(Scope::Site(site)).await.unwrap();
                events::enqueue(&mut tx, &fact, at()).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    writers.join_all().await;
    world.until_sent().await;
    let (streamed, written) = (world.streamed().await, world.written().await);
    assert_eq!(streamed.len(), 200);
    for writer in 0..4 {
        let own: Vec<String> = sqlx::query_scalar(
            "SELECT event_id::text FROM training.outbox WHERE position($1::bytea IN payload) > 0 ORDER BY seq",
        )
        .bind(format!("day-{writer}/").into_bytes())
        .fetch_all(&world.database.admin())
        .await
        .unwrap();
        let sent: Vec<&String> = streamed.iter().filter(|id| own.contains(id)).collect();
        assert_eq!(sent, own.iter().collect::<Vec<_>>(), "order of aggregate {writer}");
    }
    assert_eq!(written.len(), 200);
    world.shut_down().await;
}

#[tokio::test]
async fn a_backlog_is_published_in_the_order_of_the_outbox() {
    let mut world = World::new().await;
    world.publish(0..300).await;
    world.relay().await;
    world.until_sent().await;
    assert_eq!(world.streamed().await, world.written().await);
    world.shut_down().await;
}

#[tokio::test]
async fn a_relay_killed_between_publish_and_mark_doubles_nothing() {
    let mut world = World::new().await;
    world.forgetful_stream().await;
    world.consume(Recorder::default());
    world.publish(0..20).await;
    let halt = Halt::at(Point::BeforeMark);
    let mut killed = JoinSet::new();
    killed.spawn(world.replica().await.halted(halt.clone()).run(world.stop.clone()));
    halt.reached().await;
    killed.shutdown().await;
    assert_eq!(world.streamed().await.len(), 20, "all was published");
    assert_eq!(world.unsent().await.len(), 20, "nothing was marked");
    until_forgotten().await;

    world.relay().await;
    world.publish(20..30).await;
    world.until_sent().await;
    assert_eq!(world.streamed().await, world.written().await);
    world.until_effects(30).await;
    world.shut_down().await;
    world.assert_effects_once(30).await;
}

#[tokio::test]
async fn a_leader_that_sleeps_is_replaced_and_publishes_nothing_when_it_wakes() {
    let mut world = World::new().await;
    world.forgetful_stream().await;
    world.publish(0..10).await;
    let halt = Halt::at(Point::BeforePublish);
    let stop = CancellationToken::new();
    let sleepy = Pace { idle_timeout: Duration::from_millis(300), ..quick() };
    let mut sleeper = JoinSet::new();
    let relay = world.replica().await.with_pace(sleepy).halted(halt.clone());
    sleeper.spawn(relay.run(stop.clone()));
    halt.reached().await;
    let epoch = world.epoch().await;

    world.relay().await;
    world.until_sent().await;
    assert_eq!(world.epoch().await, epoch + 1, "another leads");
    until_forgotten().await;
    halt.release();
    // It has woken when it stands by again; shutdown waits for that.
    stop.cancel();
    sleeper.join_all().await;
    world.publish(10..11).await;
    world.until_sent().await;
    assert_eq!(world.streamed().await, world.written().await);
    world.shut_down().await;
}

#[tokio::test]
async fn a_leader_cut_off_from_the_broker_leaves_the_lead_although_it_connected_while_it_waited() {
    let mut world = World::new().await;
    let (nats, proxy) = world.nats_behind_proxy().await;
    let (stop, mut first) = (CancellationToken::new(), JoinSet::new());
    first.spawn(world.replica().await.run(stop.clone()));
    world.publish(0..1).await;
    world.until_sent().await;

    let slow = Pace { poll: Duration::from_secs(1), ..quick() };
    let store = world.database.store(CONTEXT).await;
    let second = Relay::new(Bus::new(nats.clone(), world.prefix.clone()), store, CONTEXT);
    world.running.spawn(second.with_pace(slow).run(world.stop.clone()));
    world.until_one_stands_by().await;
    let connects = nats.connects();
    nats.client().force_reconnect().await.unwrap();
    nats.renewed(connects).await;
    stop.cancel();
    first.join_all().await;
    world.publish(1..2).await;
    world.until_sent().await;
    let epoch = world.epoch().await;

    // Looks for the lead within half of the second's pause, and later than one that does not pause.
    let third =
        world.replica().await.with_pace(Pace { poll: Duration::from_millis(250), ..quick() });
    world.running.spawn(third.run(world.stop.clone()));
    world.until_one_stands_by().await;
    proxy.set(NetFault::Partition);
    world.publish(2..3).await;
    world.until_sent().await;
    assert_eq!(
        world.epoch().await,
        epoch + 1,
        "the lead moved once, to the one that reaches the broker"
    );
    proxy.set(NetFault::None);
    world.shut_down().await;
}

#[tokio::test]
async fn a_connection_to_the_broker_made_anew_leaves_the_lead_where_it_is() {
    let mut world = World::new().await;
    let (nats, _proxy) = world.nats_behind_proxy().await;
    let store = world.database.store(CONTEXT).await;
    let relay = Relay::new(Bus::new(nats.clone(), world.prefix.clone()), store, CONTEXT);
    world.running.spawn(relay.with_pace(quick()).run(world.stop.clone()));
    world.publish(0..1).await;
    world.until_sent().await;
    let epoch = world.epoch().await;

    for number in 1..4 {
        let connects = nats.connects();
        nats.client().force_reconnect().await.unwrap();
        nats.renewed(connects).await;
        world.publish(number..number + 1).await;
        world.until_sent().await;
    }
    assert_eq!(world.streamed().await, world.written().await);
    assert_eq!(world.epoch().await, epoch);
    world.shut_down().await;
}

#[tokio::test]
async fn where_another_publisher_took_a_facts_place_none_overtakes_the_one_before() {
    let mut world = World::new().await;
    world.publish(0..3).await;
    let halt = Halt::at(Point::BeforePublish);
    let relay = world.replica().await.halted(halt.clone());
    world.running.spawn(relay.run(world.stop.clone()));
    halt.reached().await;
    // Now the number alone would let the second and the third in, and not the first.
    let name = subject(&world.prefix, CONTEXT, "TrainingStarted", "-");
    world.client.publish(name, "not ours".into()).await.unwrap();
    world.until_streamed(1).await;
    halt.release();
    world.until_sent().await;
    let own = world.streamed().await.into_iter().filter(|id| !id.is_empty());
    assert_eq!(own.collect::<Vec<_>>(), world.written().await);
    world.shut_down().await;
}

#[tokio::test]
async fn a_leader_of_an_old_epoch_marks_nothing() {
    let mut world = World::new().await;
    world.publish(0..10).await;
    let halt = Halt::at(Point::BeforeMark);
    let patient = Pace { idle_timeout: Duration::from_mins(1), ..quick() };
    let relay = world.replica().await.with_pace(patient).halted(halt.clone());
    world.running.spawn(relay.run(world.stop.clone()));
    halt.reached().await;
    sqlx::query("UPDATE training.relay_state SET epoch = epoch + 100")
        .execute(&world.database.admin())
        .await
        .unwrap();
    halt.release();
    world.until_sent().await;
    // The mark failed, so the rows were marked by a later term, from what the stream holds.
    assert_eq!(world.epoch().await, 102);
    assert_eq!(world.streamed().await, world.written().await);
    world.shut_down().await;
}

#[tokio::test]
async fn a_stream_that_was_lost_is_rebuilt_from_the_outbox() {
    let mut world = World::new().await;
    world.consume(Recorder::default());
    world.relay().await;
    world.publish(0..10).await;
    world.until_effects(10).await;
    world.until_sent().await;

    world.jetstream().delete_stream(world.stream_name()).await.unwrap();
    world.publish(10..15).await;
    world.until_effects(15).await;
    world.until_sent().await;
    eventually("all to be in the stream", async || {
        (world.streamed().await.len() == 15).then_some(())
    })
    .await;
    world.shut_down().await;
    world.assert_effects_once(15).await;
}

#[tokio::test]
async fn a_relay_resigns_at_shutdown() {
    let mut world = World::new().await;
    let (stop, mut first) = (CancellationToken::new(), JoinSet::new());
    first.spawn(world.replica().await.run(stop.clone()));
    world.publish(0..1).await;
    world.until_sent().await;
    stop.cancel();
    first.join_all().await;
    world.relay().await;
    world.publish(1..2).await;
    world.until_sent().await;
    world.shut_down().await;
}
