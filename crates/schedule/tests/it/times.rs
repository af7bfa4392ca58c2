use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use schedule::{Job, LeaseLost, Outcome, Patience, Run};
use service::Scope;
use test_support::eventually;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::SiteZone;

use super::{NAME, World, start};

#[tokio::test]
async fn two_replicas_never_run_one_slot_twice() {
    let world = World::new().await;
    let stop = CancellationToken::new();
    let mut replicas = JoinSet::new();
    for _ in 0..2 {
        replicas.spawn(world.replica().await.run(vec![world.every_minute()], stop.clone()));
    }
    for minute in 1..=20 {
        world.until_finished(minute).await;
        world.clock.advance(TimeDelta::minutes(1));
    }
    world.until_finished(21).await;
    stop.cancel();
    replicas.join_all().await;

    let expected: Vec<DateTime<Utc>> =
        (0..=20).map(|minute| start() + TimeDelta::minutes(minute)).collect();
    let mut slots = world.slots();
    slots.sort();
    assert_eq!(slots, expected);
    assert!(world.finished().await.iter().all(|(_, _, attempts)| *attempts == 1));
}

#[tokio::test]
async fn a_hand_over_exactly_on_a_slot_runs_it_once() {
    let world = World::new().await;
    let next = async |stop: &CancellationToken| {
        let mut replica = JoinSet::new();
        replica.spawn(world.replica().await.run(vec![world.every_minute()], stop.clone()));
        replica
    };
    let mut stop = CancellationToken::new();
    let mut leads = next(&stop).await;
    for slot in 1..=10 {
        world.until_finished(slot).await;
        let successor = CancellationToken::new();
        let follows = next(&successor).await;
        // One ends and the other is there at the very instant of the slot.
        world.clock.advance(TimeDelta::minutes(1));
        stop.cancel();
        leads.join_all().await;
        (stop, leads) = (successor, follows);
    }
    world.until_finished(11).await;
    stop.cancel();
    leads.join_all().await;
    let expected: Vec<DateTime<Utc>> =
        (0..=10).map(|minute| start() + TimeDelta::minutes(minute)).collect();
    assert_eq!(world.slots(), expected);
}

#[tokio::test]
async fn cron_slots_missed_while_nobody_ran_are_each_run_once_late() {
    let world = World::new().await;
    let job = || {
        let ran = Arc::clone(&world.ran);
        Job::cron(NAME, "0 30 5 * * *", SiteZone::default(), move |run| {
            ran.lock().unwrap().push(run);
            async { Ok(Outcome::Nothing) }
        })
        .unwrap()
    };
    for days in [1, 3] {
        let stop = CancellationToken::new();
        let mut replicas = JoinSet::new();
        replicas.spawn(world.replica().await.run(vec![job()], stop.clone()));
        let ran = if days == 1 { 1 } else { 4 };
        world.until_finished(ran).await;
        stop.cancel();
        replicas.join_all().await;
        world.clock.advance(TimeDelta::days(3));
    }
    let half_past_five = start() - TimeDelta::minutes(150);
    let expected: Vec<DateTime<Utc>> =
        (0..=3).map(|day| half_past_five + TimeDelta::days(day)).collect();
    assert_eq!(world.slots(), expected);
}

#[tokio::test]
async fn an_intervals_missed_slots_become_one_run() {
    let world = World::new().await;
    for runs in [1, 2] {
        let stop = CancellationToken::new();
        let mut replicas = JoinSet::new();
        replicas.spawn(world.replica().await.run(vec![world.every_minute()], stop.clone()));
        world.until_finished(runs).await;
        stop.cancel();
        replicas.join_all().await;
        world.clock.advance(TimeDelta::minutes(10));
    }
    let ran = world.ran.lock().unwrap().clone();
    assert_eq!((ran[1].slot, ran[1].missed), (start() + TimeDelta::minutes(10), 9));
}

#[tokio::test]
async fn the_slot_of_a_killed_replica_is_run_by_another_once_its_lease_is_over() {
    let world = World::new().await;
    let begun = Arc::new(Notify::new());
    let hangs = {
        let begun = Arc::clone(&begun);
        Job::every(NAME, TimeDelta::minutes(1), move |_| {
            begun.notify_one();
            std::future::pending()
        })
    };
    let mut killed = JoinSet::new();
    killed.spawn(world.replica().await.run(vec![hangs], CancellationToken::new()));
    begun.notified().await;
    killed.shutdown().await;

    let stop = CancellationToken::new();
    let mut other = JoinSet::new();
    other.spawn(world.replica().await.run(vec![world.every_minute()], stop.clone()));
    assert!(world.slots().is_empty(), "the lease is not over yet");
    world.system.advance(TimeDelta::seconds(11));
    world.until_finished(1).await;
    stop.cancel();
    other.join_all().await;
    assert_eq!(world.finished().await, [(start(), "changed 1".to_owned(), 2)]);
}

#[tokio::test]
async fn a_run_that_lost_its_lease_may_not_commit() {
    let world = World::new().await;
    let (begun, resume) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let answers = Arc::new(Mutex::new(Vec::new()));
    let slow = {
        let (begun, resume, answers) =
            (Arc::clone(&begun), Arc::clone(&resume), Arc::clone(&answers));
        Job::every(NAME, TimeDelta::minutes(1), move |run: Run| {
            let (begun, resume, answers) =
                (Arc::clone(&begun), Arc::clone(&resume), Arc::clone(&answers));
            async move {
                begun.notify_one();
                resume.notified().await;
                let opened = run.begin(Scope::System("work")).await.map(drop);
                let checked = run.check().await;
                answers.lock().unwrap().extend([opened, checked]);
                Ok(Outcome::Nothing)
            }
        })
    };
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.run(vec![slow], stop.clone()));
    begun.notified().await;
    world.system.advance(TimeDelta::seconds(11));
    replicas.spawn(world.replica().await.run(vec![world.every_minute()], stop.clone()));
    world.until_finished(1).await;
    stop.cancel();
    resume.notify_one();
    replicas.join_all().await;
    let answers = std::mem::take(&mut *answers.lock().unwrap());
    assert!(answers.iter().all(|it| matches!(it, Err(LeaseLost::TakenOver))), "{answers:?}");
    assert_eq!(answers.len(), 2);
    assert_eq!(world.finished().await, [(start(), "changed 1".to_owned(), 2)]);
}

#[tokio::test]
async fn a_failing_slot_is_tried_again_and_given_up_in_the_end() {
    let world = World::new().await;
    let ran = Arc::clone(&world.ran);
    let zone = SiteZone::default();
    let fails = Job::cron(NAME, "0 30 5 * * *", zone, move |run: Run| {
        let attempt = run.attempt;
        ran.lock().unwrap().push(run);
        async move { if attempt == 2 { panic!("on purpose") } else { Err("on purpose".into()) } }
    });
    let patience = Patience {
        poll: Duration::from_millis(10),
        delays: vec![Duration::ZERO; 2],
        ..Patience::default()
    };
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(
        world.replica().await.with_patience(patience).run(vec![fails.unwrap()], stop.clone()),
    );
    world.until_finished(1).await;
    stop.cancel();
    replicas.join_all().await;
    let attempts: Vec<u32> = world.ran.lock().unwrap().iter().map(|run| run.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(world.finished().await[0].1, "given up");
    assert_eq!(world.errors().await, ["on purpose"]);
}

#[tokio::test]
async fn a_failed_slot_waits_before_it_is_tried_again() {
    let world = World::new().await;
    let ran = Arc::clone(&world.ran);
    let fails_first = Job::cron(NAME, "0 30 5 * * *", SiteZone::default(), move |run: Run| {
        let attempt = run.attempt;
        ran.lock().unwrap().push(run);
        async move { if attempt == 1 { Err("on purpose".into()) } else { Ok(Outcome::Nothing) } }
    });
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.patient_replica().await.run(vec![fails_first.unwrap()], stop.clone()));
    world.end_wait().await;
    world.until_finished(1).await;
    stop.cancel();
    replicas.join_all().await;
    assert_eq!(world.slots().len(), 2);
}

#[tokio::test]
async fn a_job_follows_a_clock_that_runs_fast_and_one_that_is_set_back() {
    let world = World::new().await;
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.run(vec![world.every_minute()], stop.clone()));
    world.clock.set(start(), 1_000.0);
    eventually("a site's quarter of an hour", async || {
        world
            .slots()
            .last()
            .is_some_and(|slot| *slot >= start() + TimeDelta::minutes(15))
            .then_some(())
    })
    .await;
    let before = start() - TimeDelta::days(1);
    world.clock.set(before, 0.0);
    eventually("a run of the day before", async || world.slots().contains(&before).then_some(()))
        .await;
    stop.cancel();
    replicas.join_all().await;
    let mut slots = world.slots();
    let all = slots.len();
    slots.sort();
    slots.dedup();
    assert_eq!(slots.len(), all, "no slot ran twice");
}

#[tokio::test]
async fn shutdown_finishes_the_run_in_hand() {
    let world = World::new().await;
    let (begun, resume) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, resume) = (Arc::clone(&begun), Arc::clone(&resume));
        Job::every(NAME, TimeDelta::minutes(1), move |_| {
            let (begun, resume) = (Arc::clone(&begun), Arc::clone(&resume));
            async move {
                begun.notify_one();
                resume.notified().await;
                Ok(Outcome::Changed(1))
            }
        })
    };
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.run(vec![slow], stop.clone()));
    begun.notified().await;
    stop.cancel();
    resume.notify_one();
    replicas.join_all().await;
    assert_eq!(world.finished().await, [(start(), "changed 1".to_owned(), 1)]);
}
