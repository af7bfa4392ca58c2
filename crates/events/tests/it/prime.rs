//! What a new consumer does with states it cannot take.

use std::time::Duration;

use events::testing::{Halt, Point};
use events::{Patience, parked};
use service::Scope;
use test_support::eventually;

use crate::owner::{Keeper, change, fact, ids, write};
use crate::state::{at_version, primed};
use crate::world::{World, at, patient};

/// Videos whose states are told, and whose facts are gone.
async fn told(count: usize) -> (World, Vec<String>) {
    let mut world = World::new().await;
    let videos = ids(count);
    let mut tx = world.writer.begin(Scope::Site(world.site)).await.unwrap();
    for video in &videos {
        write(&mut tx, &world, video, 1).await;
        events::enqueue(&mut tx, &fact(&world, video, 1), at()).await.unwrap();
    }
    tx.commit().await.unwrap();
    world.relay().await;
    world.announce();
    world.until_told().await;
    world.until_sent().await;
    world.forget_facts().await;
    (world, videos)
}

#[tokio::test]
async fn a_state_that_cannot_be_taken_is_parked_and_holds_up_nothing() {
    let (mut world, videos) = told(300).await;
    // Longer than the broker keeps a reader that asks for nothing.
    let delays = vec![Duration::from_hours(1)];
    let keeper = Keeper::failing(&videos[0], u32::MAX);
    let consumer = world.consumer(keeper).with_patience(Patience { delays, ..patient() });
    world.running.spawn(consumer.run(world.stop.clone()));
    eventually("it to be written down", async || primed(&world).await.then_some(())).await;
    let parked = parked::list(&world.reader, None, 10).await.unwrap();
    let errors: Vec<&str> = parked.iter().map(|parked| parked.error.as_str()).collect();
    assert_eq!(errors, ["not now"]);
    world.until_known(&at_version(&videos[1..], 1)).await;

    change(&world, &videos[1], 2).await;
    let mut known = at_version(&videos[1..], 1);
    known[0].1 = 2;
    world.until_known(&known).await;
    world.shut_down().await;
}

#[tokio::test]
async fn a_state_that_fails_at_first_comes_again_when_the_others_are_read() {
    let (mut world, videos) = told(3).await;
    world.consume(Keeper::failing(&videos[0], 2));
    eventually("it to be written down", async || primed(&world).await.then_some(())).await;
    world.shut_down().await;
    let subjects = world.effects().await;
    let expected = [&videos[1], &videos[2], &videos[0]];
    assert_eq!(subjects.iter().collect::<Vec<_>>(), expected);
    assert_eq!(parked::list(&world.reader, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn states_that_are_told_again_while_they_are_read_are_all_known() {
    let (mut world, videos) = told(300).await;
    let halt = Halt::at(Point::BeforeStatesRead);
    let consumer = world.consumer(Keeper::default()).halted(halt.clone());
    world.running.spawn(consumer.run(world.stop.clone()));
    halt.reached().await;
    // Each moves behind those that were there, and no fact tells of it.
    assert!(world.ask_again().await);
    world.until_told().await;
    halt.release();
    world.until_known(&at_version(&videos, 1)).await;
    world.shut_down().await;
}

#[tokio::test]
async fn a_part_of_the_states_does_not_pass_for_all_of_them() {
    let (mut world, videos) = told(3).await;
    let halt = Halt::at(Point::BeforePrimed);
    let consumer = world.consumer(Keeper::default()).halted(halt.clone());
    world.running.spawn(consumer.run(world.stop.clone()));
    halt.reached().await;
    // As a leader does that finds states missing.
    world.states().await.purge().await.unwrap();
    assert!(world.ask_again().await);
    world.until_told().await;
    halt.step();
    eventually("it to begin again", async || (halt.times() > 1).then_some(())).await;
    assert!(!primed(&world).await);
    halt.release();
    world.until_known(&at_version(&videos, 1)).await;
    eventually("it to be written down", async || primed(&world).await.then_some(())).await;
    world.shut_down().await;
}
