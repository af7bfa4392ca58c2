use rand::Rng;
use tokio::task::block_in_place;

use crate::chaos::World;
use crate::chaos::world::READERS;

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

/// `report` comes back with nothing of its own.
pub(crate) async fn report_wiped(world: &mut World) {
    world.any_moment().await;
    world.installation.kill(READERS);
    sqlx::raw_sql("DROP SCHEMA report CASCADE")
        .execute(world.checker.pool())
        .await
        .expect("PostgreSQL answers");
    test_support::migrate_all(&world.postgres.url("sitepass")).await;
    world.installation.restart(READERS, &[]);
    world.ledger.note("report is back with nothing");
}
