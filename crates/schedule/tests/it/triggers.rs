use std::sync::Arc;

use chrono::TimeDelta;
use schedule::{Job, Outcome, Run, Triggered, trigger};
use service::Scope;
use test_support::eventually;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{NAME, World, start};

impl World {
    /// An event job that writes down its runs and fails where `fails` says so.
    pub(crate) fn on_event(&self, fails: fn(&Run) -> bool) -> Job {
        let ran = Arc::clone(&self.ran);
        Job::on_event(NAME, move |run| {
            let failed = fails(&run);
            ran.lock().unwrap().push(run);
            async move { if failed { Err("on purpose".into()) } else { Ok(Outcome::Changed(1)) } }
        })
    }

    /// Triggers in a transaction of its own, at the start.
    pub(crate) async fn trigger(&self, key: &str) -> Triggered {
        let mut tx = self.store.begin(Scope::System("trigger")).await.unwrap();
        let triggered = trigger(&mut tx, NAME, start(), key).await.unwrap();
        tx.commit().await.unwrap();
        triggered
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.ran.lock().unwrap().iter().map(|run| run.key.clone()).collect()
    }
}

#[tokio::test]
async fn what_is_triggered_again_and_again_runs_once() {
    let world = World::new().await;
    assert_eq!(world.trigger("a").await, Triggered::New);
    assert_eq!(world.trigger("a").await, Triggered::Already);
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.run(vec![world.on_event(|_| false)], stop.clone()));
    world.until_finished(1).await;
    assert_eq!(world.trigger("a").await, Triggered::Already, "a slot that has run stays run");
    assert_eq!(world.trigger("b").await, Triggered::New);
    world.until_finished(2).await;
    stop.cancel();
    replicas.join_all().await;
    assert_eq!(world.keys(), ["a", "b"]);
    assert_eq!(world.slots(), [start(), start()]);
}

#[tokio::test]
async fn two_replicas_run_each_trigger_once() {
    let world = World::new().await;
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    for _ in 0..2 {
        replicas.spawn(world.replica().await.run(vec![world.on_event(|_| false)], stop.clone()));
    }
    let wanted: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
    for key in &wanted {
        world.trigger(key).await;
    }
    world.until_finished(wanted.len()).await;
    stop.cancel();
    replicas.join_all().await;
    let mut keys = world.keys();
    keys.sort();
    assert_eq!(keys, wanted);
    assert!(world.finished().await.iter().all(|(_, _, attempts)| *attempts == 1));
}

#[tokio::test]
async fn a_trigger_that_is_rolled_back_never_runs() {
    let world = World::new().await;
    let mut tx = world.store.begin(Scope::System("trigger")).await.unwrap();
    assert_eq!(trigger(&mut tx, NAME, start(), "undone").await.unwrap(), Triggered::New);
    drop(tx);
    world.trigger("done").await;
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.run(vec![world.on_event(|_| false)], stop.clone()));
    world.until_finished(1).await;
    stop.cancel();
    replicas.join_all().await;
    assert_eq!(world.keys(), ["done"]);
}

#[tokio::test]
async fn what_is_triggered_while_nobody_runs_is_run_at_the_next_start_oldest_first() {
    let world = World::new().await;
    let later = start() + TimeDelta::seconds(1);
    let mut tx = world.store.begin(Scope::System("trigger")).await.unwrap();
    trigger(&mut tx, NAME, later, "").await.unwrap();
    trigger(&mut tx, NAME, start(), "").await.unwrap();
    tx.commit().await.unwrap();
    // Set back before both: what a clock does is nothing to an event job.
    world.clock.set(start() - TimeDelta::days(1), 0.0);
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.run(vec![world.on_event(|_| false)], stop.clone()));
    world.until_finished(2).await;
    stop.cancel();
    replicas.join_all().await;
    assert_eq!(world.slots(), [start(), later]);
}

#[tokio::test]
async fn a_triggered_run_that_failed_waits_and_is_tried_again_while_others_go_on() {
    let world = World::new().await;
    world.trigger("bad").await;
    world.trigger("good").await;
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    let fails_first = world.on_event(|run| run.key == "bad" && run.attempt == 1);
    replicas.spawn(world.patient_replica().await.run(vec![fails_first], stop.clone()));
    for (finished, key) in ["better", "best"].into_iter().enumerate() {
        world.until_finished(finished + 1).await;
        world.trigger(key).await;
    }
    world.until_finished(3).await;
    assert_eq!(world.keys(), ["bad", "good", "better", "best"]);
    world.end_wait().await;
    world.until_finished(4).await;
    stop.cancel();
    replicas.join_all().await;
    assert_eq!(world.keys(), ["bad", "good", "better", "best", "bad"]);
    assert_eq!(world.ran.lock().unwrap()[4].attempt, 2);
}

#[tokio::test]
async fn the_trigger_of_a_killed_replica_is_run_by_another_once_its_lease_is_over() {
    let world = World::new().await;
    world.trigger("a").await;
    let hangs = {
        let ran = Arc::clone(&world.ran);
        Job::on_event(NAME, move |run| {
            ran.lock().unwrap().push(run);
            std::future::pending()
        })
    };
    let mut killed = JoinSet::new();
    killed.spawn(world.replica().await.run(vec![hangs], CancellationToken::new()));
    eventually("the run to begin", async || (world.keys().len() == 1).then_some(())).await;
    killed.shutdown().await;

    let (stop, mut other) = (CancellationToken::new(), JoinSet::new());
    other.spawn(world.replica().await.run(vec![world.on_event(|_| false)], stop.clone()));
    world.system.advance(TimeDelta::seconds(11));
    world.until_finished(1).await;
    stop.cancel();
    other.join_all().await;
    assert_eq!(world.finished().await, [(start(), "changed 1".to_owned(), 2)]);
}
