//! What another process may have changed about this service's jobs, looked up for all of them in one statement: whether
//! a person disabled one or asked for a run, and whether something was triggered.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use service::{Scope, Store, StoreError, faults};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use types::SiteClock;

use crate::job::Job;
use crate::lease;
use crate::slots::When;

/// Between looks for what another process triggered.
const TRIGGERED_WITHIN: Duration = Duration::from_secs(1);
/// Between looks for what a person asked, where nothing is triggered.
const ASKED_WITHIN: Duration = Duration::from_secs(3);
/// Between looks, whatever causes them.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(20);
/// Between looks after the partitions of the rows.
const KEEP_EVERY: Duration = Duration::from_hours(1);
/// The same, after it went wrong.
const KEEP_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// How a job stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) disabled: bool,
    /// Something waits that time does not trigger.
    pub(crate) asked: bool,
}

pub(crate) type States = BTreeMap<String, State>;

#[derive(Debug)]
struct Entry {
    job: &'static str,
    cadence: String,
    zone: Option<&'static str>,
    triggered: bool,
    next_slot: Option<DateTime<Utc>>,
}

/// Looks for as long as jobs run.
#[derive(Debug)]
pub(crate) struct Board {
    store: Store,
    clock: SiteClock,
    entries: Vec<Entry>,
    states: watch::Sender<States>,
    /// Of a lease: others wait no longer for a process that is paused with rows of jobs in hand.
    ttl: Duration,
}

impl Board {
    pub(crate) fn new(store: Store, clock: SiteClock, jobs: &[Job], ttl: Duration) -> Self {
        let now = clock.now();
        let entries = jobs
            .iter()
            .map(|job| Entry {
                job: job.name(),
                cadence: job.when.to_string(),
                zone: if let When::At(times) = &job.when {
                    Some(times.zone().name())
                } else {
                    None
                },
                triggered: !job.is_timed(),
                next_slot: job.when.next(now),
            })
            .collect();
        Self { store, clock, entries, ttl, states: watch::Sender::default() }
    }

    /// Changes after each look that found something.
    pub(crate) fn states(&self) -> watch::Receiver<States> {
        self.states.subscribe()
    }

    /// Registers the jobs and looks after them until `stop`.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        let mut registered = false;
        let mut changed = self.store.changed();
        let event_jobs = self.entries.iter().any(|entry| entry.triggered);
        let look_every = if event_jobs { TRIGGERED_WITHIN } else { ASKED_WITHIN };
        let mut keep_at = tokio::time::Instant::now();
        while !stop.is_cancelled() {
            if keep_at <= tokio::time::Instant::now() {
                let kept = self.keep().await;
                keep_at += if kept { KEEP_EVERY } else { KEEP_AGAIN_AFTER };
            }
            changed.mark_unchanged();
            if let Err(err) = self.look(&mut registered).await {
                tracing::warn!(service = self.store.service(), error = %err, "jobs could not be looked up");
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_AT_MOST_EVERY) => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(look_every) => {}
                Ok(()) = changed.changed(), if event_jobs => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn look(&self, registered: &mut bool) -> Result<(), StoreError> {
        if !*registered {
            self.register().await?;
        }
        let states = self.read().await?;
        // A database that was put back may know less than before.
        *registered = states.len() == self.entries.len();
        // What waits is told again and again: it may have come after the job looked and before this did.
        let asked = states.values().any(|state| state.asked);
        self.states.send_if_modified(|known| {
            let modified = asked || *known != states;
            *known = states;
            modified
        });
        Ok(())
    }

    async fn read(&self) -> Result<States, StoreError> {
        let jobs: Vec<&str> = self.entries.iter().map(|entry| entry.job).collect();
        let triggered: Vec<&str> =
            self.entries.iter().filter(|entry| entry.triggered).map(|entry| entry.job).collect();
        let mut tx = self.store.begin(Scope::System("look up jobs")).await?;
        let rows: Vec<(String, bool, bool)> = sqlx::query_as(
            "SELECT job, disabled_at IS NOT NULL, EXISTS (
                 SELECT FROM job_runs waiting
                 WHERE waiting.job = jobs.job AND finished_at IS NULL
                   AND (retry_at IS NULL OR retry_at <= statement_timestamp())
                   AND (key <> '' OR jobs.job = ANY ($2) AND disabled_at IS NULL))
             FROM jobs WHERE job = ANY ($1)",
        )
        .bind(jobs)
        .bind(triggered)
        .fetch_all(&mut *tx)
        .await?;
        let states =
            rows.into_iter().map(|(job, disabled, asked)| (job, State { disabled, asked }));
        Ok(states.collect())
    }

    /// Writes down what this process runs and when; what a person said of it stays.
    async fn register(&self) -> Result<(), StoreError> {
        let mut tx = self.store.begin(Scope::System("register jobs")).await?;
        lease::ends_when_idle(&mut tx, self.ttl).await?;
        for entry in &self.entries {
            sqlx::query(
                "INSERT INTO jobs (job, cadence, zone, next_slot) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (job) DO UPDATE
                 SET cadence = excluded.cadence, zone = excluded.zone, next_slot = excluded.next_slot",
            )
            .bind(entry.job)
            .bind(&entry.cadence)
            .bind(entry.zone)
            .bind(entry.next_slot)
            .execute(&mut *tx)
            .await?;
        }
        faults::point("schedule.before-registered");
        tx.commit().await
    }

    /// Makes the coming days' partitions and drops those of days long past.
    async fn keep(&self) -> bool {
        let kept = async {
            let mut tx = self.store.begin(Scope::System("keep the rows of runs")).await?;
            lease::ends_when_idle(&mut tx, self.ttl).await?;
            sqlx::query("SELECT keep_job_runs($1)")
                .bind(self.clock.now().date_naive())
                .execute(&mut *tx)
                .await?;
            tx.commit().await
        };
        match kept.await {
            Ok(()) => true,
            Err(err) => {
                tracing::warn!(service = self.store.service(), error = %err, "partitions of job runs not kept");
                false
            }
        }
    }
}
