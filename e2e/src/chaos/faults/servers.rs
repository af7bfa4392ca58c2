use std::collections::BTreeMap;

use fleet::{Admin, Answer, Controller, Sandbox};
use rand::Rng;
use serde_json::json;
use tokio::task::block_in_place;
use types::SystemClock;

use crate::chaos::World;
use crate::chaos::world::READERS;

/// What a command is told while the database is away.
const UNAVAILABLE: &str = "503 STORE_UNAVAILABLE";

/// F2: PostgreSQL is shut down at once under load, and is killed; the seed says in which order. Commands fail as
/// unavailable, never as broken, and what a door asks is refused whole, its own identity the first.
pub(crate) async fn postgres_ends(world: &mut World) {
    let gate = gate(world).await;
    let answer = gate.asked(world).await;
    assert_eq!(answer.code, 0, "with a database a gate is answered: {answer:?}");
    let killed_first = world.random.random_bool(0.5);
    for killed in [killed_first, !killed_first] {
        let before = world.ledger.answers();
        world.any_moment().await;
        if killed {
            world.ledger.note("PostgreSQL is killed");
            block_in_place(|| world.postgres.kill()).expect("PostgreSQL ends");
        } else {
            world.ledger.note("PostgreSQL is shut down immediately");
            block_in_place(|| world.postgres.shut_down_immediately()).expect("PostgreSQL ends");
        }
        // What a backend was at when its server was killed it may still have ended.
        gate.asked(world).await;
        world.suffer("PostgreSQL is away", world.lasts(2, 20)).await;
        gate.stays_shut(world).await;
        block_in_place(|| world.postgres.restart()).expect("PostgreSQL starts");
        world.ledger.note("PostgreSQL is back");
        world.acked(5).await;
        let mut failed = broken_since(world, &before);
        let refused = failed.remove(UNAVAILABLE).unwrap_or_default();
        let story = world.ledger.story();
        assert!(failed.is_empty(), "{failed:?} while PostgreSQL was away\n{story}");
        assert!(refused > 0, "no command met PostgreSQL away\n{story}");
    }
}

/// A door controller that asks for each opening, and whom it sees: somebody who has not trained.
struct Gate {
    controller: Controller,
    face_id: String,
}

async fn gate(world: &World) -> Gate {
    let urls = &world.installation.urls;
    let admin = Admin::sign_in(&urls.gateway, "admin", fleet::PASSWORD).await.expect("sign in");
    let body = json!({
        "device_id": "gate-f2", "site_id": world.demo.site_id, "name": "gate",
        "area_ids": [world.demo.area_a.0], "direction": "both",
    });
    let made = admin.post("/api/admin/devices", &body).await.expect("a gate");
    let secret = made["secret"].as_str().expect("a secret");
    let controller = Controller::new(&urls.device, "gate-f2", secret).expect("an HTTP client");
    let roster = Sandbox::new(&urls.sandbox).expect("an HTTP client").roster().await;
    let face_id = roster.expect("a roster").swap_remove(0).face_id;
    Gate { controller, face_id }
}

impl Gate {
    /// Asks whether to let somebody in, who is not.
    async fn asked(&self, world: &World) -> Answer {
        let body = json!({ "face_id": self.face_id, "direction": "IN", "at": SystemClock::system().now() });
        let answer = self.controller.post("/decisions", &body).await.expect("an answer");
        assert!(answer.data["allow"] != true, "{answer:?}\n{}", world.ledger.story());
        answer
    }

    /// It is refused as everything is.
    async fn stays_shut(&self, world: &World) {
        let answer = self.asked(world).await;
        let told = format!("{} {}", answer.http_status, answer.message);
        assert_eq!(told, UNAVAILABLE, "a gate was answered\n{}", world.ledger.story());
    }
}

/// F3: commands are acked while the broker is down.
pub(crate) async fn broker_down(world: &mut World) {
    world.any_moment().await;
    block_in_place(|| world.nats.kill()).expect("NATS is killed");
    let (before, answers) = (world.ledger.acked(), world.ledger.answers());
    let lasts = world.lasts(5, 60);
    world.suffer("NATS is killed", lasts).await;
    let acked = world.ledger.acked() - before;
    let failed = broken_since(world, &answers);
    block_in_place(|| world.nats.restart()).expect("NATS starts");
    world.ledger.note(format!("NATS is back, {acked} commands were acked meanwhile"));
    let story = world.ledger.story();
    assert!(failed.is_empty(), "{failed:?} while NATS was away\n{story}");
    // Half of what is sent. If they waited for the broker, it would be those at once in each fifteen seconds.
    let enough = usize::try_from(lasts.as_secs() * 4).expect("a small number");
    assert!(acked >= enough, "commands wait for the broker\n{story}");
}

/// Answers of 5xx since `before`, and how many of each.
fn broken_since(world: &World, before: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let mut failed = world.ledger.answers();
    failed.retain(|answer, times| {
        *times -= before.get(answer).copied().unwrap_or_default();
        answer.starts_with('5') && *times > 0
    });
    failed
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
