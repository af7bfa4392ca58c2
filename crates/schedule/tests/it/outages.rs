use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use schedule::{Job, Outcome, Patience, Run, Runner};
use servers::{Durability, PrivatePostgres};
use service::config::DatabaseConfig;
use service::{Scope, Store, migrate};
use test_support::eventually;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::{SiteClock, SystemClock};

use super::{NAME, World, start};

async fn migrated(postgres: &PrivatePostgres) -> Store {
    let url = postgres.url("sitepass");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/ticket");
    let migrations = migrate::from_folder(&folder).await.unwrap();
    migrate::migrate(&url, "ticket", &migrations).await.unwrap();
    let config = DatabaseConfig { url, password: None, max_connections: 4 };
    Store::connect(&config, "ticket").await.unwrap()
}

async fn attempts(store: &Store) -> Option<Vec<i32>> {
    let mut tx = store.begin(Scope::System("look")).await.ok()?;
    sqlx::query_scalar("SELECT attempts FROM job_runs WHERE finished_at IS NOT NULL ORDER BY slot")
        .fetch_all(&mut *tx)
        .await
        .ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_in_hand_outlives_the_database_and_its_end_is_written_when_that_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut postgres = PrivatePostgres::start(folder.path(), Durability::Durable, None).unwrap();
    let store = migrated(&postgres).await;
    let (clock, system) = (SiteClock::manual(start()), SystemClock::manual(start()));
    let (begun, resume) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let job = {
        let (begun, resume) = (Arc::clone(&begun), Arc::clone(&resume));
        Job::every(NAME, TimeDelta::minutes(1), move |_: Run| {
            let (begun, resume) = (Arc::clone(&begun), Arc::clone(&resume));
            async move {
                begun.notify_one();
                resume.notified().await;
                Ok(Outcome::Changed(1))
            }
        })
    };
    let patience = Patience { poll: Duration::from_millis(10), ..Patience::default() };
    let runner = Runner::new(store.clone(), clock.clone(), system).with_patience(patience);
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(runner.run(vec![job], stop.clone()));
    begun.notified().await;
    postgres.kill().unwrap();
    resume.notify_one();
    postgres.restart().unwrap();
    eventually("the end of the run", async || (attempts(&store).await? == [1]).then_some(())).await;
    clock.advance(TimeDelta::minutes(1));
    begun.notified().await;
    resume.notify_one();
    eventually("the next run", async || (attempts(&store).await? == [1, 1]).then_some(())).await;
    stop.cancel();
    replicas.join_all().await;
}

#[tokio::test]
async fn a_run_longer_than_its_lease_and_its_interval_keeps_the_one_and_skips_the_other() {
    let world = World::new().await;
    let (begun, resume) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, resume) = (Arc::clone(&begun), Arc::clone(&resume));
        let ran = Arc::clone(&world.ran);
        Job::every(NAME, TimeDelta::minutes(1), move |run: Run| {
            let (begun, resume) = (Arc::clone(&begun), Arc::clone(&resume));
            ran.lock().unwrap().push(run.clone());
            async move {
                begun.notify_one();
                resume.notified().await;
                let tx = run.begin(Scope::System("work")).await?;
                Ok(run.finish(tx, Outcome::Changed(1)).await?)
            }
        })
    };
    let lease = Duration::from_millis(300);
    let patience = Patience { poll: Duration::from_millis(10), lease, ..Patience::default() };
    let (stop, mut replicas) = (CancellationToken::new(), JoinSet::new());
    replicas.spawn(world.replica().await.with_patience(patience).run(vec![slow], stop.clone()));
    begun.notified().await;
    world.clock.advance(TimeDelta::minutes(5));
    // Almost over each time the heart beats, and never over.
    for _ in 0..3 {
        world.system.advance(TimeDelta::milliseconds(200));
        eventually("a heartbeat", async || {
            let until = world.lease_until().await?;
            (until == world.system.now() + TimeDelta::milliseconds(300)).then_some(())
        })
        .await;
    }
    resume.notify_one();
    begun.notified().await;
    resume.notify_one();
    world.until_finished(2).await;
    stop.cancel();
    replicas.join_all().await;
    let ran = world.ran.lock().unwrap();
    assert_eq!((ran[1].slot, ran[1].missed), (start() + TimeDelta::minutes(5), 4));
    assert!(ran.iter().all(|run| run.attempt == 1));
}
