use chrono::{DateTime, TimeDelta, Utc};
use events::rebuild::{self, Error};
use events::testing::{Halt, Point};
use service::Scope;
use test_support::eventually;
use types::SystemClock;

use crate::streamed::assert_same;
use crate::world::{CONTEXT, Recorder, World};

#[tokio::test]
async fn facts_are_sent_once_more_and_an_inbox_ignores_them() {
    let mut world = World::new().await;
    world.consume(Recorder::default());
    world.relay().await;
    world.publish_all(0..400).await;
    world.until_sent().await;
    // At once: the broker still knows the ids and refuses the batch whole, until it has forgotten them. That is no
    // reason to take it for a broker without batches.
    replay(&world, DateTime::UNIX_EPOCH).await.unwrap();
    world.publish_all(400..410).await;
    until_replayed(&world).await;
    assert_eq!(world.streamed().await.len(), 810);
    assert_eq!(world.placed().await.len(), 410);
    let batched = world.messages().await.iter().filter(|(_, _, batched)| *batched).count();
    assert!(batched >= 800, "{batched} messages came in batches");
    let (written, mut streamed) = (world.written().await, world.streamed().await);
    streamed.sort();
    assert_eq!(streamed.iter().filter(|id| **id == written[7]).count(), 2);
    world.until_effects(410).await;

    let check = rebuild::check(&world.writer, &world.bus, CONTEXT).await.unwrap();
    assert!(!check.differs(), "{check:?}");
    assert_eq!((check.sent, check.unsent, check.unknown), (410, 0, 400));
    world.shut_down().await;
    world.assert_effects_once(410).await;
}

#[tokio::test]
async fn only_facts_since_the_given_time_are_sent_again() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish_all(0..30).await;
    world.until_sent().await;
    let later = SystemClock::system().now() + TimeDelta::milliseconds(2);
    eventually("a later millisecond", async || (SystemClock::system().now() > later).then_some(()))
        .await;
    world.publish_all(30..50).await;
    world.until_sent().await;
    for _ in 0..2 {
        replay(&world, later).await.unwrap();
    }
    until_replayed(&world).await;
    let written = world.written().await;
    let streamed = world.streamed().await;
    assert_same(&streamed[..50], &written);
    assert_same(&streamed[50..], &written[30..]);
    world.shut_down().await;
}

#[tokio::test]
async fn facts_are_sent_once_more_while_new_ones_never_cease() {
    let mut world = World::new().await;
    let halt = Halt::at(Point::BeforeMark);
    world.relay_beside(&halt);
    world.publish(0..1).await;
    for round in 1.. {
        eventually("a fact in the stream", async || (halt.times() >= round).then_some(())).await;
        // Before the relay looks for more.
        let next = usize::try_from(round).unwrap();
        world.publish(next..next + 1).await;
        // The first is marked by now.
        if round == 2 {
            replay(&world, DateTime::UNIX_EPOCH).await.unwrap();
        }
        let (written, streamed) = (world.written().await, world.streamed().await);
        if streamed.iter().filter(|id| **id == written[0]).count() == 2 {
            break;
        }
        assert!(round < 200, "nobody takes the replay up");
        halt.step();
    }
    halt.release();
    world.shut_down().await;
}

#[tokio::test]
async fn a_replay_needs_a_relay_that_has_led() {
    let world = World::new().await;
    let refused = replay(&world, DateTime::UNIX_EPOCH).await;
    assert!(matches!(refused, Err(Error::NeverLed(_))), "{refused:?}");
}

async fn replay(world: &World, since: DateTime<Utc>) -> Result<(), Error> {
    let mut tx = world.writer.begin(Scope::System("have facts sent once more")).await?;
    rebuild::replay(&mut tx, CONTEXT, since).await?;
    Ok(tx.commit().await?)
}

async fn until_replayed(world: &World) {
    eventually("the replay to be done", async || {
        let remaining = rebuild::remaining(&world.writer, CONTEXT).await.unwrap();
        (remaining == 0).then_some(())
    })
    .await;
}
