use chrono::{DateTime, Utc};
use service::{Scope, Store, StoreError, Tx};
use types::SystemClock;

use crate::job::Outcome;
use crate::lease::Lease;
use crate::runs::{self, Close, MADE_GOOD, Place};

/// Why a run may not go on.
#[derive(Debug, thiserror::Error)]
pub enum LeaseLost {
    /// Another replica has taken the job over; what this one began must not be committed.
    #[error("another replica has taken the job over")]
    TakenOver,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One slot of a job, being run. It is the job's way to the database: what is committed through it is committed while
/// the job is still this process's to run, or not at all.
#[derive(Debug, Clone)]
pub struct Run {
    pub job: &'static str,
    /// Site time the slot stands for; the instant it was asked for, when a person did.
    pub slot: DateTime<Utc>,
    /// What an event job was triggered for; empty where time did, `manual:…` where a person asked.
    pub key: String,
    /// Site time as the run began; later than the slot by what it was late.
    pub now: DateTime<Utc>,
    /// Earlier slots that this run makes good.
    pub missed: u64,
    /// From 1; more after a failure or a crash, also of the slots it makes good.
    pub attempt: u32,
    pub(crate) makes_good: bool,
    pub(crate) lease: Lease,
    pub(crate) store: Store,
    pub(crate) system: SystemClock,
}

impl Run {
    /// Opens a transaction and makes sure of the lease in it: nobody takes the job over before the transaction has
    /// ended. The server ends one that is idle for as long as the lease, as a paused process's is: do nothing else
    /// while it is open.
    pub async fn begin(&self, scope: Scope) -> Result<Tx, LeaseLost> {
        let mut tx = self.store.begin(scope).await?;
        if self.lease.check(&mut tx).await? { Ok(tx) } else { Err(LeaseLost::TakenOver) }
    }

    /// Closes the slot in the transaction of its effect and commits: a crash leaves both or neither, so the effect
    /// happens once. For a run that is one transaction; return the outcome afterwards. A second call is
    /// [`LeaseLost::TakenOver`].
    pub async fn finish(&self, mut tx: Tx, outcome: Outcome) -> Result<Outcome, LeaseLost> {
        let close = Close {
            outcome: &outcome.to_string(),
            error: None,
            earlier: self.makes_good.then_some(MADE_GOOD),
            now: self.system.now(),
        };
        if !runs::close(&mut tx, &self.lease, self.place(), close).await? {
            return Err(LeaseLost::TakenOver);
        }
        tx.commit().await?;
        Ok(outcome)
    }

    /// Asks whether the job is still this process's to run, right before something that no transaction can take back:
    /// a call to the outside. What comes after may yet come late, so the outside must bear it twice.
    pub async fn check(&self) -> Result<(), LeaseLost> {
        drop(self.begin(Scope::System("check a job's lease")).await?);
        Ok(())
    }

    pub(crate) fn place(&self) -> Place<'_> {
        Place { slot: self.slot, key: &self.key }
    }
}
