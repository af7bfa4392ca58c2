//! Replicas that are processes of their own: paused, killed, replaced. All of them are on one host with one name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, TimeDelta, Utc};
use servers::{Signal, send};
use sqlx::{AssertSqlSafe, PgPool};
use test_support::{Database, eventually, lasts};
use types::SystemClock;
use uuid::Uuid;

/// Between slots, in milliseconds.
const INTERVAL: i64 = 100;
const LEASE: i64 = 1_500;

struct World {
    database: Database,
    admin: PgPool,
}

/// A process; killed at the latest when the test ends.
struct Replica(Child);

impl Drop for Replica {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.0.wait().unwrap();
    }
}

impl Replica {
    fn signal(&self, signal: Signal) {
        send(self.0.id(), signal);
    }

    /// Until it has stopped itself.
    async fn paused(&self) {
        let stat = format!("/proc/{}/stat", self.0.id());
        eventually("a process to stop", async || {
            std::fs::read_to_string(&stat).unwrap().contains(") T ").then_some(())
        })
        .await;
    }

    async fn ended(&mut self) {
        eventually("a process to end", || std::future::ready(self.0.try_wait().unwrap())).await;
    }
}

impl World {
    async fn new() -> Self {
        let database = Database::create().await;
        let admin = database.admin();
        let world = Self { database, admin };
        world
            .does(
                "CREATE TABLE ticket.effects (slot timestamptz NOT NULL, holder uuid NOT NULL);
                 CREATE TABLE ticket.begun (process uuid PRIMARY KEY);
                 CREATE TABLE ticket.gate (closed boolean NOT NULL);
                 INSERT INTO ticket.gate VALUES (false);
                 GRANT ALL ON ticket.effects, ticket.begun, ticket.gate TO sitepass_ticket_system",
            )
            .await;
        world
    }

    async fn does(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.admin).await.unwrap();
    }

    fn replica(&self) -> Replica {
        self.faulty(None)
    }

    fn mistaken(&self, mistake: Option<&str>) -> Replica {
        self.faulty(mistake.map(|mistake| ("SITEPASS_FAULT_MISTAKE", mistake)))
    }

    fn faulty(&self, fault: Option<(&str, &str)>) -> Replica {
        let mut command = Command::new(program());
        command
            .args([self.database.url(), INTERVAL.to_string(), LEASE.to_string()])
            .env_remove("SITEPASS_FAULT_MISTAKE")
            .env_remove("SITEPASS_FAULT_POINT")
            .envs(fault)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Replica(command.spawn().unwrap())
    }

    async fn close_gate(&self) {
        self.does("UPDATE ticket.gate SET closed = true").await;
    }

    async fn open_gate(&self) {
        self.does("UPDATE ticket.gate SET closed = false").await;
    }

    /// Until so many processes wait at the gate with a run in hand.
    async fn until_begun(&self, count: i64) {
        eventually("runs to begin", async || {
            let begun: i64 = sqlx::query_scalar("SELECT count(*) FROM ticket.begun")
                .fetch_one(&self.admin)
                .await
                .unwrap();
            (begun == count).then_some(())
        })
        .await;
    }

    async fn effects(&self) -> Vec<(DateTime<Utc>, Uuid)> {
        sqlx::query_as("SELECT slot, holder FROM ticket.effects ORDER BY slot")
            .fetch_all(&self.admin)
            .await
            .unwrap()
    }

    /// Until every slot up to now has run, whatever was missed.
    async fn until_caught_up(&self) {
        let now = SystemClock::system().now() - TimeDelta::milliseconds(INTERVAL);
        eventually("the slots to be made good", async || {
            (self.effects().await.last()?.0 >= now).then_some(())
        })
        .await;
    }

    /// Each slot from the first to the last has exactly one effect.
    async fn problems(&self) -> Vec<String> {
        let effects = self.effects().await;
        let mut counts: BTreeMap<DateTime<Utc>, usize> = BTreeMap::new();
        for (slot, _) in &effects {
            *counts.entry(*slot).or_default() += 1;
        }
        let mut problems: Vec<String> = counts
            .iter()
            .filter(|(_, count)| **count > 1)
            .map(|(slot, count)| format!("{slot} ran {count} times"))
            .collect();
        let slots: Vec<_> = counts.keys().copied().collect();
        let gaps =
            slots.windows(2).filter(|pair| pair[1] - pair[0] > TimeDelta::milliseconds(INTERVAL));
        problems.extend(gaps.map(|pair| format!("nothing between {} and {}", pair[0], pair[1])));
        problems
    }

    async fn holders(&self) -> usize {
        let mut holders: Vec<Uuid> =
            self.effects().await.into_iter().map(|(_, holder)| holder).collect();
        holders.sort_unstable();
        holders.dedup();
        holders.len()
    }
}

/// The example is built with the tests, beside them.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/replica");
    assert!(program.exists(), "cargo build -p schedule --example replica");
    program
}

/// Pauses a leader with a run in hand for three leases, in which another takes over, then lets it go on.
async fn paused_past_its_lease(mistake: Option<&str>) -> World {
    let world = World::new().await;
    world.close_gate().await;
    let paused = world.mistaken(mistake);
    world.until_begun(1).await;
    paused.signal(Signal::STOP);
    let due = SystemClock::system().now() + TimeDelta::milliseconds(3 * LEASE);
    let _other = world.replica();
    world.until_begun(2).await;
    world.open_gate().await;
    lasts((due - SystemClock::system().now()).to_std().unwrap_or_default()).await;
    world.until_caught_up().await;
    let before = world.effects().await.len();
    paused.signal(Signal::CONT);
    // Both are at it from here on: the one that woke has said what it had to say once it leads again, or has twice
    // its lease's time behind it.
    let woken = SystemClock::system().now() + TimeDelta::milliseconds(2 * LEASE);
    eventually("the one that woke to do its worst", async || {
        let late = SystemClock::system().now() > woken;
        (late && world.effects().await.len() > before).then_some(())
    })
    .await;
    world.until_caught_up().await;
    world
}

#[tokio::test]
async fn a_leader_paused_past_its_lease_changes_nothing_when_it_wakes() {
    let world = paused_past_its_lease(None).await;
    assert_eq!(world.problems().await, Vec::<String>::new());
}

#[tokio::test]
async fn without_fencing_the_paused_leader_would_run_its_slot_again() {
    let world = paused_past_its_lease(Some("no-fencing")).await;
    let problems = world.problems().await;
    assert!(problems.iter().any(|problem| problem.ends_with("ran 2 times")), "{problems:?}");
}

#[tokio::test]
async fn a_replica_paused_while_it_says_what_it_runs_holds_up_the_others_for_a_lease_at_most() {
    let world = World::new().await;
    let _goes_on = world.replica();
    world.until_caught_up().await;
    let paused = world.faulty(Some(("SITEPASS_FAULT_POINT", "schedule.before-registered:1:pause")));
    paused.paused().await;
    let seen = world.effects().await.len();
    eventually("the other to go on", async || {
        (world.effects().await.len() > seen + 3).then_some(())
    })
    .await;
    assert_eq!(world.problems().await, Vec::<String>::new());
}

#[tokio::test]
async fn two_replicas_of_one_host_share_the_slots_and_run_each_once() {
    let world = World::new().await;
    let _replicas = [world.replica(), world.replica()];
    eventually("both to have run slots", async || (world.holders().await == 2).then_some(())).await;
    world.until_caught_up().await;
    assert_eq!(world.problems().await, Vec::<String>::new());
}

#[tokio::test]
async fn slots_missed_while_nobody_ran_are_made_good_and_a_hand_over_loses_none() {
    let world = World::new().await;
    let mut first = world.replica();
    world.until_caught_up().await;
    // Ended in the middle of a slot: the run in hand is finished.
    first.signal(Signal::TERM);
    first.ended().await;
    let last = world.effects().await.last().unwrap().0;
    let three_later = last + TimeDelta::milliseconds(3 * INTERVAL);
    eventually("three slots to pass", async || {
        (SystemClock::system().now() > three_later).then_some(())
    })
    .await;
    assert_eq!(world.effects().await.last().unwrap().0, last, "nobody runs");
    for _ in 0..5 {
        // The next one starts as the one before it is asked to end, on whatever instant of a slot that falls.
        let before = world.holders().await;
        let mut next = world.replica();
        eventually("it to run slots", async || (world.holders().await > before).then_some(()))
            .await;
        next.signal(Signal::TERM);
        next.ended().await;
    }
    let _last = world.replica();
    world.until_caught_up().await;
    assert_eq!(world.problems().await, Vec::<String>::new());
}

#[tokio::test]
async fn whatever_is_killed_and_paused_each_slot_has_its_effect_once() {
    let world = World::new().await;
    let mut replicas: Vec<Replica> = (0..3).map(|_| world.replica()).collect();
    // A fixed seed: the same order of blows each time, at instants that differ.
    let mut random: u64 = 0x5174_e9a5;
    for blow in 0..12 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let target = usize::try_from(random >> 33).unwrap() % replicas.len();
        let seen = world.effects().await.len();
        if blow % 2 == 0 {
            replicas[target] = world.replica();
        } else {
            replicas[target].signal(Signal::STOP);
        }
        eventually("the others to go on", async || {
            (world.effects().await.len() > seen + 3).then_some(())
        })
        .await;
        replicas[target].signal(Signal::CONT);
    }
    world.until_caught_up().await;
    assert_eq!(world.problems().await, Vec::<String>::new());
}
