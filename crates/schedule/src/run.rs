use chrono::{DateTime, Utc};
use service::{StoreError, Tx};

use crate::lease::Lease;

/// Another replica has taken the job over; what this one began must not be committed.
#[derive(Debug, thiserror::Error)]
pub enum LeaseLost {
    #[error("another replica has taken the job over")]
    TakenOver,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One slot of a job, being run.
#[derive(Debug, Clone)]
pub struct Run {
    pub job: &'static str,
    /// Site time the slot stands for.
    pub slot: DateTime<Utc>,
    /// What an event job was triggered for; empty where time did.
    pub key: String,
    /// Site time as the run began; later than the slot by what it was late.
    pub now: DateTime<Utc>,
    /// Earlier slots that this run makes good.
    pub missed: u64,
    /// From 1; more after a failure or a crash.
    pub attempt: u32,
    pub(crate) lease: Lease,
}

impl Run {
    /// Fails when the lease was lost, and keeps it from being taken over until `tx` ends.
    pub async fn guard(&self, tx: &mut Tx) -> Result<(), LeaseLost> {
        if self.lease.check(tx).await? { Ok(()) } else { Err(LeaseLost::TakenOver) }
    }
}
