//! Replicas whose clocks are wrong ahead, by far more than clocks are apart.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use schedule::{Job, Outcome, Patience, Run, Runner};
use service::Scope;
use test_support::eventually;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::{SiteClock, SystemClock};

use super::{NAME, World};

const DAY: TimeDelta = TimeDelta::days(1);

/// Its third, between two signs of life, is longer than between two looks at it.
const LEASE: Duration = Duration::from_millis(1_500);

/// The database's clock is nobody's to set.
fn now() -> DateTime<Utc> {
    SystemClock::system().now().duration_trunc(TimeDelta::minutes(1)).unwrap()
}

impl World {
    async fn replica_with(&self, clock: SiteClock, system: SystemClock) -> Runner {
        let (poll, lease) = (Duration::from_millis(10), LEASE);
        let patience = Patience { poll, lease, ..Patience::default() };
        Runner::new(self.database.store("ticket").await, clock, system).with_patience(patience)
    }

    /// A replica under these clocks that ends after its first run.
    async fn run_once(&self, clock: SiteClock, system: SystemClock, job: Job) {
        let before = self.slots().len();
        let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
        replicas.spawn(self.replica_with(clock, system).await.run(vec![job], stop.clone()));
        eventually("a run", async || (self.slots().len() > before).then_some(())).await;
        stop.cancel();
        replicas.join_all().await;
    }
}

#[tokio::test]
async fn a_run_under_a_clock_a_day_ahead_silences_no_other_replica() {
    let start = now();
    let world = World::starting(start).await;
    for ahead in [DAY, TimeDelta::zero()] {
        let (clock, system) =
            (SiteClock::manual(start + ahead), SystemClock::manual(start + ahead));
        world.run_once(clock, system, world.every_minute()).await;
    }
    assert_eq!(world.slots(), [start + DAY, start]);
}

#[tokio::test]
async fn what_was_forgotten_stays_so_where_nothing_is_due() {
    let start = now();
    let world = World::starting(start).await;
    for ahead in [TimeDelta::zero(), DAY] {
        let (clock, system) =
            (SiteClock::manual(start + ahead), SystemClock::manual(start + ahead));
        world.run_once(clock, system, world.every_minute()).await;
    }
    let (stop, mut right) = (CancellationToken::new(), JoinSet::new());
    let replica = world.replica_with(world.clock.clone(), world.system.clone()).await;
    right.spawn(replica.run(vec![world.every_minute()], stop.clone()));
    eventually("tomorrow's slot to be forgotten", async || {
        (world.finished().await.len() == 1).then_some(())
    })
    .await;
    assert_eq!(world.lease_until().await, None);
    stop.cancel();
    right.join_all().await;
    assert_eq!(world.slots(), [start, start + DAY]);
}

#[tokio::test]
async fn a_slot_that_failed_under_a_clock_a_day_ahead_is_tried_again_by_another_replica() {
    let start = now();
    let world = World::starting(start).await;
    let ran = Arc::clone(&world.ran);
    let fails = Job::every(NAME, TimeDelta::minutes(1), move |run| {
        ran.lock().unwrap().push(run);
        async { Err("on purpose".into()) }
    });
    let ahead = SystemClock::manual(start + DAY);
    world.run_once(world.clock.clone(), ahead, fails).await;
    world.run_once(world.clock.clone(), world.system.clone(), world.every_minute()).await;
    assert_eq!(world.finished().await, [(start, "changed 1".to_owned(), 2)]);
}

#[tokio::test]
async fn beside_a_replica_a_day_ahead_a_right_one_runs_its_slots_once() {
    let world = World::starting(now()).await;
    let effects: Arc<Mutex<Vec<DateTime<Utc>>>> = Arc::default();
    let job = || {
        let effects = Arc::clone(&effects);
        Job::every(NAME, TimeDelta::milliseconds(100), move |run: Run| {
            let effects = Arc::clone(&effects);
            async move {
                let slot = run.slot;
                let tx = run.begin(Scope::System("work")).await?;
                let outcome = run.finish(tx, Outcome::Changed(1)).await?;
                effects.lock().unwrap().push(slot);
                Ok(outcome)
            }
        })
    };
    let early = SiteClock::system();
    early.set(early.now() + DAY, 1.0);
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    for (clock, system) in
        [(SiteClock::system(), SystemClock::system()), (early, SystemClock::manual(now() + DAY))]
    {
        let replica = world.replica_with(clock, system).await;
        replicas.spawn(replica.run(vec![job()], stop.clone()));
    }
    let until = now() + DAY / 2;
    let both = || -> (Vec<_>, Vec<_>) {
        effects.lock().unwrap().iter().copied().partition(|slot| *slot < until)
    };
    eventually("both to run", async || {
        let (right, early) = both();
        (right.len() >= 10 && early.len() >= 10).then_some(())
    })
    .await;
    stop.cancel();
    replicas.join_all().await;
    let (right, _) = both();
    assert_eq!(right.iter().collect::<BTreeSet<_>>().len(), right.len(), "{right:?}");
}

/// A job that tells that it has begun, and goes on when it is told to.
fn slow(begun: &Arc<Notify>, resume: &Arc<Notify>) -> Job {
    let (begun, resume) = (Arc::clone(begun), Arc::clone(resume));
    Job::every(NAME, TimeDelta::minutes(1), move |_| {
        let (begun, resume) = (Arc::clone(&begun), Arc::clone(&resume));
        async move {
            begun.notify_one();
            resume.notified().await;
            Ok(Outcome::Nothing)
        }
    })
}

#[tokio::test]
async fn a_replica_a_day_ahead_that_is_killed_in_its_run_holds_nobody_up() {
    let start = now();
    let world = World::starting(start).await;
    let (begun, resume) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let ahead = world.replica_with(world.clock.clone(), SystemClock::manual(start + DAY)).await;
    let mut killed = JoinSet::new();
    killed.spawn(ahead.run(vec![slow(&begun, &resume)], CancellationToken::new()));
    begun.notified().await;
    killed.shutdown().await;

    let (stop, mut other) = (CancellationToken::new(), JoinSet::new());
    let replica = world.replica_with(world.clock.clone(), world.system.clone()).await;
    other.spawn(replica.run(vec![world.every_minute()], stop.clone()));
    world.until_finished(1).await;
    stop.cancel();
    other.join_all().await;
    assert_eq!(world.finished().await, [(start, "changed 1".to_owned(), 2)]);
}

#[tokio::test]
async fn a_replica_a_day_ahead_keeps_its_run_while_it_gives_signs_of_life() {
    let start = now();
    let world = World::starting(start).await;
    let (begun, resume) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let system = SystemClock::manual(start + DAY);
    let ahead = world.replica_with(world.clock.clone(), system.clone()).await;
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(ahead.run(vec![slow(&begun, &resume)], stop.clone()));
    begun.notified().await;
    let replica = world.replica_with(world.clock.clone(), world.system.clone()).await;
    replicas.spawn(replica.run(vec![world.every_minute()], stop.clone()));
    let watched = Instant::now();
    while watched.elapsed() < LEASE * 2 {
        system.advance(TimeDelta::milliseconds(100));
        eventually("a heartbeat", async || {
            let until = world.lease_until().await?;
            (until == system.now() + TimeDelta::from_std(LEASE).unwrap()).then_some(())
        })
        .await;
    }
    resume.notify_one();
    world.until_finished(1).await;
    stop.cancel();
    replicas.join_all().await;
    assert_eq!(world.finished().await, [(start, "nothing to do".to_owned(), 1)]);
}
