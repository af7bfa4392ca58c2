use std::time::{Duration, Instant};

use rand::Rng;
use sqlx::Connection;
use test_support::eventually;
use tokio::task::block_in_place;

use crate::chaos::World;

/// F2: PostgreSQL ends under load and comes back. Commands fail as unavailable, never as broken.
pub(crate) async fn postgres_ends(world: &mut World) {
    for _ in 0..2 {
        world.any_moment().await;
        if world.random.random_bool(0.5) {
            world.ledger.note("PostgreSQL is shut down immediately");
            block_in_place(|| world.postgres.shut_down_immediately()).expect("PostgreSQL ends");
        } else {
            world.ledger.note("PostgreSQL is killed");
            block_in_place(|| world.postgres.kill()).expect("PostgreSQL ends");
        }
        world.suffer("PostgreSQL is away", world.lasts(2, 20)).await;
        block_in_place(|| world.postgres.restart()).expect("PostgreSQL starts");
        world.ledger.note("PostgreSQL is back");
        world.acked(5).await;
    }
    let broken = world.ledger.answers().into_iter().find(|(answer, _)| answer.starts_with("500"));
    assert!(broken.is_none(), "{broken:?} while PostgreSQL was away\n{}", world.ledger.story());
}

/// F3: commands are acked while the broker is down.
pub(crate) async fn broker_down(world: &mut World) {
    world.any_moment().await;
    block_in_place(|| world.nats.kill()).expect("NATS is killed");
    let before = world.ledger.acked();
    world.suffer("NATS is killed", world.lasts(5, 60)).await;
    let acked = world.ledger.acked() - before;
    block_in_place(|| world.nats.restart()).expect("NATS starts");
    world.ledger.note(format!("NATS is back, {acked} commands were acked meanwhile"));
    assert!(acked >= 5, "commands wait for the broker\n{}", world.ledger.story());
}

/// F4: the broker comes back with nothing.
pub(crate) async fn broker_wiped(world: &mut World) {
    world.any_moment().await;
    block_in_place(|| world.nats.kill()).expect("NATS is killed");
    block_in_place(|| world.nats.wipe()).expect("its folder is deleted");
    world.suffer("NATS is killed and its folder deleted", world.lasts(1, 5)).await;
    block_in_place(|| world.nats.restart()).expect("NATS starts");
    world.ledger.note("NATS is back with nothing");
}

/// F5: the broker comes back with what it had some time ago.
pub(crate) async fn broker_restored(world: &mut World) {
    let copy = world.folder().join("older");
    world.nats.pause();
    block_in_place(|| world.nats.copy_streams(&copy)).expect("the streams are copied");
    world.nats.resume();
    world.suffer("NATS's folder was copied", world.lasts(3, 20)).await;
    block_in_place(|| world.nats.kill()).expect("NATS is killed");
    block_in_place(|| world.nats.restore_streams(&copy)).expect("the older copy takes their place");
    block_in_place(|| world.nats.restart()).expect("NATS starts");
    world.ledger.note("NATS is back with the older copy");
}

/// F23: while somebody holds an old snapshot, events are published as fast as before.
pub(crate) async fn old_snapshot(world: &mut World) {
    let rounds = if world.scale == crate::chaos::Scale::Quick { 4 } else { 10 };
    let before = drained(world, rounds).await;
    let url = world.postgres.url("sitepass");
    let mut holder = sqlx::PgConnection::connect(&url).await.expect("PostgreSQL answers");
    for statement in ["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM ticket.outbox"]
    {
        sqlx::query(statement).execute(&mut holder).await.expect("a snapshot");
    }
    // What the held snapshot keeps from being cleaned piles up before the measured rounds.
    drained(world, rounds * 2).await;
    let held = drained(world, rounds).await;
    world
        .ledger
        .note(format!("a round took {before:.0?} before, {held:.0?} under an old snapshot"));
    assert!(
        held.mul_f64(0.9) <= before + Duration::from_millis(50),
        "a round took {before:.0?} before, {held:.0?} under an old snapshot"
    );
    holder.close().await.expect("the snapshot ends");
}

/// The median time from a burst of facts to their being marked as sent.
async fn drained(world: &World, rounds: usize) -> Duration {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        world.burst("ticket", 50).await;
        eventually("the events to be sent", || async {
            let unsent = "SELECT count(*) FROM ticket.outbox WHERE sent_at IS NULL";
            let unsent = sqlx::query_scalar(unsent).fetch_one(world.checker.pool()).await;
            (unsent.ok() == Some(0_i64)).then_some(())
        })
        .await;
        times.push(started.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}
