//! Runs a service's jobs in one process, beside any number of replicas.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use service::{Scope, Store, StoreError, Tx, telemetry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use types::{EventId, SiteClock, SystemClock};
use uuid::Uuid;

use crate::alarm;
use crate::board::{Board, State, States};
use crate::hand::{self, Hand, Next, Now, Slot};
use crate::job::{Job, Outcome, RunError};
use crate::lease::{Lease, Watch};
use crate::run::Run;
use crate::runs::{self, Close, GIVEN_UP, MADE_GOOD};

/// Errors are kept so long.
const ERROR_CHARS: usize = 500;
/// Before an outcome that could not be written is written again.
const WRITE_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long and how often.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Between looks at the site clock, at most, once it was set; ten times that before. Real time.
    pub poll: Duration,
    /// A holder that gave no sign of life for so long is replaced; system time.
    pub lease: Duration,
    /// Before the second attempt of a slot, the third and so on, by the database's clock; then the slot is given up.
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

/// One process's part in running a service's jobs. Its id is random: two replicas that share all else are two.
#[derive(Debug)]
pub struct Runner {
    store: Store,
    clock: SiteClock,
    system: SystemClock,
    patience: Patience,
    holder: Uuid,
}

/// A slot this process has claimed, and which attempt it is.
struct Claimed {
    slot: Slot,
    attempt: u32,
}

/// What a run came to.
enum Ended {
    Well(Outcome),
    Badly(String),
}

/// What became of a slot's row.
enum Closed {
    /// It is as the run ended; the next one is claimed, and these are behind it.
    Next(Claimed, VecDeque<Slot>),
    /// It is as the run ended, and the lease is given back.
    Last,
    /// Another has taken the job over, and nothing was written.
    Lost,
}

impl Runner {
    pub fn new(store: Store, clock: SiteClock, system: SystemClock) -> Self {
        let (patience, holder) = (Patience::default(), EventId::new().as_uuid());
        Self { store, clock, system, patience, holder }
    }

    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Runs the jobs' slots until `stop`; the runs in hand are finished. Dropping it is as good as killing it: the
    /// slots in hand are run again, here or elsewhere, once the lease is over.
    pub async fn run(self, jobs: Vec<Job>, stop: CancellationToken) {
        let (board, followers) = self.parts(jobs, &stop);
        let followers = futures::future::join_all(followers.into_iter().map(|(_, it)| it));
        futures::future::join(board, followers).await;
    }

    /// The same as tasks of their own: the look at what others ask, and one for each job, by name.
    pub(crate) fn parts(
        self,
        jobs: Vec<Job>,
        stop: &CancellationToken,
    ) -> (impl Future<Output = ()> + use<>, Vec<(&'static str, impl Future<Output = ()> + use<>)>)
    {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let board = Board::new(store, clock, &jobs, self.patience.lease);
        let runner = Arc::new(self);
        let followers = jobs
            .into_iter()
            .map(|job| {
                let (runner, states, stop) = (Arc::clone(&runner), board.states(), stop.clone());
                (job.name(), async move { runner.follow(job, states, stop).await })
            })
            .collect();
        (board.watch(stop.clone()), followers)
    }

    async fn follow(&self, job: Job, mut states: watch::Receiver<States>, stop: CancellationToken) {
        tokio::select! {
            _ = states.wait_for(|states| states.contains_key(job.name())) => {}
            () = stop.cancelled() => {}
        }
        let mut watch = Watch::default();
        while !stop.is_cancelled() {
            let known = states.borrow_and_update().get(job.name()).copied();
            let revision = self.clock.revision();
            let next = self.look(&job, known, &mut watch, &stop).await.unwrap_or_else(|err| {
                tracing::warn!(job = job.name(), error = %err, "job could not be looked at");
                Next::After(Duration::from_secs(1))
            });
            let waited = async {
                match next {
                    Next::After(wait) => tokio::time::sleep(wait).await,
                    Next::Until(slot) => tokio::select! {
                        () = self.wait(slot, revision) => {}
                        () = told(&mut states, job.name(), known) => {}
                    },
                }
            };
            tokio::select! {
                () = waited => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Waits for the slot in small steps, since the clock may be set meanwhile.
    async fn wait(&self, slot: Option<DateTime<Utc>>, revision: u64) {
        while self.clock.revision() == revision {
            let left =
                slot.map_or(Duration::MAX, |slot| self.clock.to_real(slot - self.clock.now()));
            if left.is_zero() {
                return;
            }
            let step = if revision == 0 { self.seldom() } else { self.patience.poll };
            tokio::time::sleep(left.min(step)).await;
        }
    }

    /// Between looks that are not urgent.
    fn seldom(&self) -> Duration {
        self.patience.poll * 10
    }

    /// Runs what is to be run now. The lease, what is at hand and the first slot's claim are one transaction; so are
    /// the end of each slot and the claim of the next, or the return of the lease.
    async fn look(
        &self,
        job: &Job,
        known: Option<State>,
        watch: &mut Watch,
        stop: &CancellationToken,
    ) -> Result<Next, StoreError> {
        let now = Now { site: self.clock.now(), set: self.clock.revision() > 0 };
        let mut tx = self.store.begin(Scope::System("look at a job")).await?;
        let (holder, ttl) = (self.holder, self.patience.lease);
        let dead = watch.dead(ttl, Instant::now());
        let taking = Lease::take(&mut tx, job.name(), holder, self.system.now(), ttl, dead);
        let Some(taken) = taking.await? else {
            watch.see(Lease::held(&mut tx, job.name()).await?, Instant::now());
            return Ok(Next::After(self.seldom()));
        };
        let Hand { mut slots, mut next, forgot } = hand::look(&mut tx, job, &taken, now).await?;
        if known.is_some_and(|known| known.disabled != taken.disabled) {
            // The board is behind. Were it changed back before the board looks, nothing would be told of it.
            next = Next::After(self.seldom());
        }
        let Some(mut current) = self.claim(&mut tx, &taken.lease, &mut slots).await? else {
            // Where nothing is committed the lease is as it was.
            if forgot {
                taken.lease.release(&mut tx, job.when.next(now.site)).await?;
                tx.commit().await?;
            }
            return Ok(next);
        };
        tx.commit().await?;
        loop {
            let run = self.run_of(job, &taken.lease, &current);
            let Some(ended) = self.execute(job, &run, current.slot.traceparent.as_deref()).await
            else {
                return Ok(self.lost(&run));
            };
            let failed = matches!(ended, Ended::Badly(_));
            // What time triggers has its turn one after the other; what events trigger does not wait for each other.
            if stop.is_cancelled() || (failed && job.is_timed()) {
                slots.clear();
            }
            match self.close(job, &run, &ended, &slots, stop).await? {
                Closed::Next(claimed, behind) => (current, slots) = (claimed, behind),
                Closed::Last if failed => return Ok(Next::After(Duration::ZERO)),
                Closed::Last => return Ok(next),
                Closed::Lost => return Ok(self.lost(&run)),
            }
        }
    }

    fn lost(&self, run: &Run) -> Next {
        tracing::warn!(job = run.job, slot = %run.slot, "lease lost, run abandoned");
        Next::After(self.seldom())
    }

    /// Claims the first that is not done yet and leaves those behind it.
    async fn claim(
        &self,
        tx: &mut Tx,
        lease: &Lease,
        slots: &mut VecDeque<Slot>,
    ) -> Result<Option<Claimed>, StoreError> {
        while let Some(slot) = slots.pop_front() {
            let now = self.system.now();
            if let Some(attempt) = runs::claim(tx, lease, slot.place(), slot.before, now).await? {
                return Ok(Some(Claimed { slot, attempt }));
            }
        }
        Ok(None)
    }

    fn run_of(&self, job: &Job, lease: &Lease, claimed: &Claimed) -> Run {
        Run {
            job: job.name(),
            slot: claimed.slot.at,
            key: claimed.slot.key.clone(),
            now: self.clock.now(),
            missed: claimed.slot.before.missed,
            attempt: claimed.attempt,
            makes_good: job.makes_good() && claimed.slot.key.is_empty(),
            lease: lease.clone(),
            store: self.store.clone(),
            system: self.system.clone(),
        }
    }

    /// Does the job's work and keeps the lease meanwhile; `None` when it was lost, and the work with it.
    async fn execute(&self, job: &Job, run: &Run, traceparent: Option<&str>) -> Option<Ended> {
        let attempt = run.attempt;
        let span = tracing::info_span!("job", otel.name = run.job, job.slot = %run.slot, job.attempt = attempt);
        telemetry::set_parent(&span, traceparent);
        let work = AssertUnwindSafe((job.work)(run.clone())).catch_unwind().instrument(span);
        let result: Result<Outcome, RunError> = tokio::select! {
            biased;
            done = work => done.unwrap_or_else(|_| Err("the run panicked".into())),
            () = self.keep(&run.lease) => return None,
        };
        Some(match result {
            Ok(outcome) => Ended::Well(outcome),
            Err(err) => Ended::Badly(err.to_string().chars().take(ERROR_CHARS).collect()),
        })
    }

    /// Moves the lease's end until it is another's.
    async fn keep(&self, lease: &Lease) {
        loop {
            tokio::time::sleep(self.patience.lease / 3).await;
            match lease.renew(&self.store, self.system.now()).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(err) => {
                    tracing::warn!(job = lease.job, error = %err, "lease not renewed");
                }
            }
        }
    }

    /// Writes down how the run ended; again and again while the database is away, since the work is done.
    async fn close(
        &self,
        job: &Job,
        run: &Run,
        ended: &Ended,
        slots: &VecDeque<Slot>,
        stop: &CancellationToken,
    ) -> Result<Closed, StoreError> {
        loop {
            match self.write(job, run, ended, slots.clone()).await {
                Err(err @ (StoreError::Unavailable | StoreError::Conflict))
                    if !stop.is_cancelled() =>
                {
                    tracing::warn!(job = run.job, error = %err, "end of a run not written yet");
                    tokio::time::sleep(WRITE_AGAIN_AFTER).await;
                }
                written => return written,
            }
        }
    }

    async fn write(
        &self,
        job: &Job,
        run: &Run,
        ended: &Ended,
        mut slots: VecDeque<Slot>,
    ) -> Result<Closed, StoreError> {
        let mut tx = self.store.begin(Scope::System("end a job's run")).await?;
        let Some(standing) = run.lease.standing(&mut tx).await? else { return Ok(Closed::Lost) };
        let now = self.system.now();
        let label = match ended {
            Ended::Well(outcome) => {
                let outcome = outcome.to_string();
                let earlier = run.makes_good.then_some(MADE_GOOD);
                let close = Close { outcome: &outcome, error: None, earlier, now };
                runs::close(&mut tx, &run.lease, run.place(), close).await?;
                alarm::clear(&mut tx, self.store.service(), run.job, standing.alarmed).await?;
                "done"
            }
            Ended::Badly(err) => {
                if let Some(wait) = self.wait_after(run.attempt) {
                    let (attempt, slot) = (run.attempt, run.slot);
                    tracing::warn!(job = run.job, %slot, attempt, error = %err, "run failed, trying again");
                    runs::leave(&mut tx, &run.lease, run.place(), wait, err).await?;
                    "failed"
                } else {
                    let earlier = run.makes_good.then_some(GIVEN_UP);
                    let close = Close { outcome: GIVEN_UP, error: Some(err), earlier, now };
                    runs::close(&mut tx, &run.lease, run.place(), close).await?;
                    tracing::error!(job = run.job, slot = %run.slot, error = %err, "slot given up");
                    let service = self.store.service();
                    alarm::raise(&mut tx, service, run.job, standing.alarmed, err).await?;
                    "given up"
                }
            }
        };
        if standing.disabled {
            slots.clear();
        }
        let claimed = self.claim(&mut tx, &run.lease, &mut slots).await?;
        if claimed.is_none() {
            run.lease.release(&mut tx, job.when.next(self.clock.now())).await?;
        }
        tx.commit().await?;
        metrics::counter!("job_runs_total", "job" => run.job, "outcome" => label).increment(1);
        Ok(claimed.map_or(Closed::Last, |claimed| Closed::Next(claimed, slots)))
    }

    /// How long a slot waits after this attempt failed; it is given up when it had all.
    fn wait_after(&self, attempt: u32) -> Option<TimeDelta> {
        let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
        TimeDelta::from_std(*self.patience.delays.get(index)?).ok()
    }
}

/// Waits until the board tells of something new for the job.
async fn told(states: &mut watch::Receiver<States>, job: &str, known: Option<State>) {
    while states.changed().await.is_ok() {
        let state = states.borrow_and_update().get(job).copied();
        if state != known || state.is_some_and(|state| state.asked) {
            return;
        }
    }
    std::future::pending::<()>().await;
}
