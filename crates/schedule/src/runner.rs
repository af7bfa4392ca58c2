//! The loop of one job in one process.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use service::{Store, StoreError, telemetry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use types::{EventId, SiteClock, SystemClock};
use uuid::Uuid;

use crate::job::{CatchUp, Job, Outcome, RunError};
use crate::lease::Lease;
use crate::run::Run;
use crate::runs::{self, Earlier, History, Place, Unfinished};
use crate::slots::When;

/// A failed slot is looked at again after so long at most, since the clock may be a test's; so are an event job's
/// triggers, since another process may have written them.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long and how often.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Between looks at the site clock, at most; real time.
    pub poll: Duration,
    /// A holder that gave no sign of life for so long is replaced; system time.
    pub lease: Duration,
    /// Before the second attempt of a slot, the third and so on; then the slot is given up.
    pub delays: Vec<Duration>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(100),
            lease: Duration::from_secs(10),
            delays: [1, 5, 30, 120].map(Duration::from_secs).to_vec(),
        }
    }
}

/// Runs jobs in this process, beside any number of replicas.
#[derive(Debug)]
pub struct Runner {
    store: Store,
    clock: SiteClock,
    system: SystemClock,
    patience: Patience,
    holder: Uuid,
}

/// What a look at the job came to.
enum Looked {
    /// Nothing is due before this slot.
    Until(Option<DateTime<Utc>>),
    /// Another replica is at it, or the slot failed: look again after this long.
    Again(Duration),
    /// Nothing is triggered: look again after a commit.
    Untriggered,
}

/// A slot to run now.
struct Slot {
    at: DateTime<Utc>,
    key: String,
    traceparent: Option<String>,
    missed: u64,
}

impl Slot {
    fn due(at: DateTime<Utc>, missed: u64) -> Self {
        Self { at, key: String::new(), traceparent: None, missed }
    }

    fn place(&self) -> Place<'_> {
        Place { slot: self.at, key: &self.key }
    }
}

impl From<Unfinished> for Slot {
    fn from(row: Unfinished) -> Self {
        Self { at: row.slot, key: row.key, traceparent: row.traceparent, missed: 0 }
    }
}

impl Runner {
    pub fn new(store: Store, clock: SiteClock, system: SystemClock) -> Self {
        Self {
            store,
            clock,
            system,
            patience: Patience::default(),
            holder: EventId::new().as_uuid(),
        }
    }

    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Runs the job's slots until `stop`; the run in hand is finished. Dropping it is as good as killing it: the slot
    /// in hand is run again, here or elsewhere, once the lease is over.
    pub async fn run(self, job: Job, stop: CancellationToken) {
        let mut changed = self.store.changed();
        while !stop.is_cancelled() {
            changed.mark_unchanged();
            let revision = self.clock.revision();
            let looked = match self.look(&job, &stop).await {
                Ok(looked) => looked,
                Err(err) => {
                    tracing::warn!(job = job.name(), error = %err, "job could not be looked at");
                    Looked::Again(Duration::from_secs(1))
                }
            };
            let waited = match looked {
                Looked::Again(wait) => {
                    self.sleep_until(|| false, revision, Some(wait), &stop).await
                }
                Looked::Until(next) => {
                    let due = || next.is_some_and(|next| next <= self.clock.now());
                    self.sleep_until(due, revision, None, &stop).await
                }
                Looked::Untriggered => Self::commit(&mut changed, &stop).await,
            };
            if !waited {
                return;
            }
        }
    }

    /// Waits in small steps, since the clock may be set meanwhile; `false` at shutdown.
    async fn sleep_until(
        &self,
        due: impl Fn() -> bool,
        revision: u64,
        limit: Option<Duration>,
        stop: &CancellationToken,
    ) -> bool {
        let started = std::time::Instant::now();
        while !due() && limit.is_none_or(|limit| started.elapsed() < limit) {
            if limit.is_none() && self.clock.revision() != revision {
                return true;
            }
            // Sped up a thousand times, a site's minute is over in 60 ms.
            let nap = self
                .clock
                .to_real(TimeDelta::seconds(1))
                .clamp(Duration::from_millis(5), self.patience.poll);
            let nap = limit.map_or(nap, |limit| nap.min(limit));
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                () = stop.cancelled() => return false,
            }
        }
        true
    }

    /// Waits for a commit of this process, or for so long that another's is not missed; `false` at shutdown.
    async fn commit(changed: &mut watch::Receiver<u64>, stop: &CancellationToken) -> bool {
        tokio::select! {
            Ok(()) = changed.changed() => true,
            () = tokio::time::sleep(LONGEST_WAIT) => true,
            () = stop.cancelled() => false,
        }
    }

    async fn look(&self, job: &Job, stop: &CancellationToken) -> Result<Looked, StoreError> {
        let ttl = TimeDelta::from_std(self.patience.lease).unwrap_or(TimeDelta::MAX);
        let system = self.system.now();
        // Taking the lease is a commit and would wake the next look.
        if matches!(job.when, When::Triggered)
            && runs::triggered(&self.store, job.name(), system).await?.is_empty()
        {
            return Ok(Looked::Untriggered);
        }
        let Some(lease) =
            Lease::take(&self.store, job.name(), self.holder, system, system + ttl).await?
        else {
            return Ok(Looked::Again(self.patience.poll));
        };
        let looked = match job.when {
            When::Triggered => self.run_triggered(job, &lease, stop).await,
            _ => self.run_due(job, &lease, stop).await,
        };
        // The next slot is whoever's comes first.
        lease.renew(&self.store, self.system.now()).await?;
        looked
    }

    async fn run_due(
        &self,
        job: &Job,
        lease: &Lease,
        stop: &CancellationToken,
    ) -> Result<Looked, StoreError> {
        let now = self.clock.now();
        let forget_after = (self.clock.revision() > 0).then_some(now);
        let History { unfinished, last } =
            runs::history(&self.store, job.name(), forget_after).await?;
        let due = job.when.due(last, now, job.catch_up == CatchUp::Each);
        let mut slots: Vec<Slot> = Vec::new();
        if job.catch_up == CatchUp::Each || due.slots.is_empty() {
            let system = self.system.now();
            if let Some(wait) = unfinished
                .first()
                .and_then(|slot| slot.retry_at)
                .filter(|retry_at| *retry_at > system)
            {
                let wait = (wait - system).to_std().unwrap_or_default();
                return Ok(Looked::Again(wait.min(LONGEST_WAIT)));
            }
            slots.extend(unfinished.into_iter().map(Slot::from));
        }
        let first = due.slots.first().copied();
        slots.extend(
            due.slots
                .iter()
                .map(|slot| Slot::due(*slot, if Some(*slot) == first { due.skipped } else { 0 })),
        );
        for slot in slots {
            if stop.is_cancelled() {
                return Ok(Looked::Again(Duration::ZERO));
            }
            let Some(attempt) = self.claim(lease, &slot).await? else {
                return Ok(Looked::Again(self.patience.poll));
            };
            if !self.execute(job, lease, &slot, attempt).await? {
                return Ok(Looked::Again(Duration::ZERO));
            }
        }
        Ok(Looked::Until(job.when.next(now)))
    }

    /// What is triggered, one after the other; a failed one waits and the others go on.
    async fn run_triggered(
        &self,
        job: &Job,
        lease: &Lease,
        stop: &CancellationToken,
    ) -> Result<Looked, StoreError> {
        for row in runs::triggered(&self.store, job.name(), self.system.now()).await? {
            if stop.is_cancelled() {
                break;
            }
            let slot = Slot::from(row);
            let Some(attempt) = self.claim(lease, &slot).await? else {
                return Ok(Looked::Again(self.patience.poll));
            };
            self.execute(job, lease, &slot, attempt).await?;
        }
        Ok(Looked::Again(Duration::ZERO))
    }

    async fn claim(&self, lease: &Lease, slot: &Slot) -> Result<Option<u32>, StoreError> {
        runs::claim(&self.store, lease, slot.place(), slot.missed, self.system.now()).await
    }

    /// Runs a claimed slot; `false` when it is still open afterwards.
    async fn execute(
        &self,
        job: &Job,
        lease: &Lease,
        slot: &Slot,
        attempt: u32,
    ) -> Result<bool, StoreError> {
        let at = slot.at;
        let run = Run {
            job: job.name(),
            slot: at,
            key: slot.key.clone(),
            now: self.clock.now(),
            missed: slot.missed,
            attempt,
            lease: lease.clone(),
        };
        let span = tracing::info_span!("job", otel.name = job.name(), job.slot = %at, job.attempt = attempt);
        telemetry::set_parent(&span, slot.traceparent.as_deref());
        let work = AssertUnwindSafe((job.work)(run)).catch_unwind().instrument(span);
        let Some(result) = self.keeping(lease, work).await else {
            tracing::warn!(job = job.name(), slot = %at, "lease lost, run abandoned");
            return Ok(false);
        };
        let result: Result<Outcome, RunError> =
            result.unwrap_or_else(|_| Err("the run panicked".into()));
        let wait = usize::try_from(attempt - 1)
            .ok()
            .and_then(|index| self.patience.delays.get(index))
            .copied();
        let (outcome, label) = match result {
            Ok(outcome) => (outcome.to_string(), "done"),
            Err(err) => {
                metrics::counter!("job_runs_total", "job" => job.name(), "outcome" => "failed")
                    .increment(1);
                if let Some(wait) = wait {
                    tracing::warn!(job = job.name(), slot = %at, attempt, error = %err, "run failed, trying again");
                    let retry_at =
                        self.system.now() + TimeDelta::from_std(wait).unwrap_or_default();
                    runs::leave(&self.store, lease, slot.place(), retry_at).await?;
                    return Ok(false);
                }
                tracing::error!(job = job.name(), slot = %at, attempt, error = %err, "slot given up");
                (format!("given up: {err}"), "given up")
            }
        };
        metrics::counter!("job_runs_total", "job" => job.name(), "outcome" => label).increment(1);
        let nothing = Outcome::Nothing.to_string();
        let earlier = match (&job.when, job.catch_up) {
            (When::Triggered, _) => Earlier::Kept,
            (_, CatchUp::Once) => Earlier::Forgotten(&nothing),
            (_, CatchUp::Each) => Earlier::MadeGood,
        };
        let now = self.system.now();
        runs::finish(&self.store, lease, slot.place(), now, &outcome, earlier).await?;
        Ok(true)
    }

    /// Renews the lease while the work goes on; `None` when it was lost, and the work with it.
    async fn keeping<T>(&self, lease: &Lease, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        let ttl = TimeDelta::from_std(self.patience.lease).unwrap_or(TimeDelta::MAX);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = tokio::time::sleep(self.patience.lease / 3) => {
                    match lease.renew(&self.store, self.system.now() + ttl).await {
                        Ok(true) => {}
                        Ok(false) => return None,
                        Err(err) => tracing::warn!(job = lease.job, error = %err, "lease not renewed"),
                    }
                }
            }
        }
    }
}
