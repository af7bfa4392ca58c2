//! Jobs on a real database: replicas, downtime, crashes, failures, clocks that are set, triggers.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod ahead;
mod keeping;
mod keys;
mod managing;
mod outages;
mod processes;
mod times;
mod triggers;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use schedule::{Job, Outcome, Patience, Run, Runner};
use service::{Scope, Store};
use test_support::{Database, eventually};
use types::{SiteClock, SystemClock};

const NAME: &str = "test.job";

fn start() -> DateTime<Utc> {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

/// One installation: a database and clocks, and any number of replicas.
struct World {
    database: Database,
    store: Store,
    clock: SiteClock,
    system: SystemClock,
    ran: Arc<Mutex<Vec<Run>>>,
}

impl World {
    async fn new() -> Self {
        Self::starting(start()).await
    }

    async fn starting(at: DateTime<Utc>) -> Self {
        let database = Database::create().await;
        let store = database.store("ticket").await;
        let (clock, system) = (SiteClock::manual(at), SystemClock::manual(at));
        Self { database, store, clock, system, ran: Arc::default() }
    }

    async fn replica(&self) -> Runner {
        self.replica_of(self.database.store("ticket").await)
    }

    /// Whose failed slots wait for longer than a test.
    async fn patient_replica(&self) -> Runner {
        let (poll, delays) = (Duration::from_millis(10), [1, 2].map(Duration::from_hours).to_vec());
        self.replica().await.with_patience(Patience { poll, delays, ..Patience::default() })
    }

    fn replica_of(&self, store: Store) -> Runner {
        let patience = Patience { poll: Duration::from_millis(10), ..Patience::default() };
        Runner::new(store, self.clock.clone(), self.system.clone()).with_patience(patience)
    }

    /// A job that writes down its runs.
    fn every_minute(&self) -> Job {
        let ran = Arc::clone(&self.ran);
        Job::every(NAME, TimeDelta::minutes(1), move |run| {
            ran.lock().unwrap().push(run);
            async { Ok(Outcome::Changed(1)) }
        })
    }

    /// When the lease is over, while someone has it.
    async fn lease_until(&self) -> Option<DateTime<Utc>> {
        let mut tx = self.store.begin(Scope::System("look at the lease")).await.unwrap();
        sqlx::query_scalar("SELECT expires_at FROM jobs WHERE job = $1")
            .bind(NAME)
            .fetch_one(&mut *tx)
            .await
            .unwrap()
    }

    fn slots(&self) -> Vec<DateTime<Utc>> {
        self.ran.lock().unwrap().iter().map(|run| run.slot).collect()
    }

    /// Slots closed so far, with what they came to and in how many attempts.
    async fn finished(&self) -> Vec<(DateTime<Utc>, String, i32)> {
        let mut tx = self.store.begin(Scope::System("look at runs")).await.unwrap();
        sqlx::query_as("SELECT slot, outcome, attempts FROM job_runs WHERE finished_at IS NOT NULL ORDER BY slot")
            .fetch_all(&mut *tx)
            .await
            .unwrap()
    }

    /// Of closed slots, what went wrong last.
    async fn errors(&self) -> Vec<String> {
        let mut tx = self.store.begin(Scope::System("look at runs")).await.unwrap();
        sqlx::query_scalar("SELECT error FROM job_runs WHERE finished_at IS NOT NULL AND error IS NOT NULL ORDER BY slot")
            .fetch_all(&mut *tx)
            .await
            .unwrap()
    }

    /// Has the database's clock say, once a failed slot of a patient replica waits for its hour, that this is over.
    async fn end_wait(&self) {
        eventually("a failed slot to wait", async || {
            let mut tx = self.store.begin(Scope::System("end a wait")).await.unwrap();
            let ended = sqlx::query(
                "UPDATE job_runs SET retry_at = statement_timestamp()
                 WHERE retry_at - statement_timestamp() BETWEEN '59 minutes' AND '1 hour'",
            );
            let ended = ended.execute(&mut *tx).await.unwrap().rows_affected();
            tx.commit().await.unwrap();
            (ended == 1).then_some(())
        })
        .await;
    }

    async fn until_finished(&self, count: usize) {
        eventually("finished slots", async || (self.finished().await.len() >= count).then_some(()))
            .await;
    }
}
