//! States told again and erasures that a relay left unsent before a newer fact, which is in its stream already.

use events::testing::{Halt, Point};
use service::Scope;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::owner::{change, enter, ids};
use crate::world::{CONTEXT, World};

impl World {
    /// The facts of what waits come into their stream, and no row is marked.
    async fn relay_is_killed_before_states(&self) {
        let halt = Halt::at(Point::BeforeStates);
        let mut killed = JoinSet::new();
        killed.spawn(self.replica().await.halted(halt.clone()).run(CancellationToken::new()));
        halt.reached().await;
        killed.shutdown().await;
    }
}

#[tokio::test]
async fn a_state_told_again_before_a_fact_that_is_read_back_does_not_replace_the_facts_own() {
    let mut world = World::new().await;
    let video = ids(1).remove(0);
    enter(&world, &video, 1).await;
    assert!(world.announcer().step().await.unwrap());
    change(&world, &video, 2).await;
    world.relay_is_killed_before_states().await;
    assert_eq!(world.streamed().await.len(), 1, "the fact is there, and not marked");

    world.relay().await;
    world.until_sent().await;
    assert_eq!(world.state(&video).await.unwrap().0, 2);
    world.shut_down().await;
}

#[tokio::test]
async fn what_ended_by_a_fact_that_is_read_back_does_not_stay_for_ever() {
    let mut world = World::new().await;
    let video = ids(1).remove(0);
    enter(&world, &video, 1).await;
    assert!(world.announcer().step().await.unwrap());
    change(&world, &video, 2).await;
    sqlx::query("UPDATE training.outbox SET state_ends = true WHERE NOT state_only")
        .execute(&world.database.admin())
        .await
        .unwrap();
    world.relay_is_killed_before_states().await;

    world.relay().await;
    world.until_sent().await;
    let (version, headers) = world.state(&video).await.unwrap();
    assert_eq!(version, 2);
    assert!(headers.get("Nats-TTL").is_some());
    world.shut_down().await;
}

#[tokio::test]
async fn an_erasure_before_a_fact_that_is_read_back_does_not_take_the_facts_state() {
    let (mut world, videos) = World::settled(2).await;
    world.until_told().await;
    world.shut_down().await;
    for video in &videos {
        let mut tx = world.writer.begin(Scope::System("forget a video")).await.unwrap();
        events::erase_state(&mut tx, CONTEXT, "Video", video).await.unwrap();
        tx.commit().await.unwrap();
    }
    change(&world, &videos[0], 3).await;
    world.relay_is_killed_before_states().await;

    world.stop = CancellationToken::new();
    world.relay().await;
    world.until_sent().await;
    assert_eq!(world.state(&videos[0]).await.unwrap().0, 3);
    assert!(world.state(&videos[1]).await.is_none(), "of this one no fact came after it");
    world.shut_down().await;
}
