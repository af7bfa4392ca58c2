use chrono::{DateTime, TimeDelta, Utc};
use service::{Scope, idempotency};
use types::SystemClock;

use crate::job::{Job, Outcome, RunError};
use crate::run::Run;

/// Forgets once a day the old answers to calls with an idempotency key. For each service that takes such keys; `job` is
/// `<service>.forget-keys`.
pub fn forget_keys(job: &'static str, system: &SystemClock) -> Job {
    let system = system.clone();
    Job::every(job, TimeDelta::days(1), move |run| {
        let now = system.now();
        async move { forget(&run, now).await }
    })
}

/// A transaction a batch: after a crash the next run goes on with what is left.
async fn forget(run: &Run, now: DateTime<Utc>) -> Result<Outcome, RunError> {
    let mut forgotten = 0;
    loop {
        let mut tx = run.begin(Scope::System("answers nobody asks for any more")).await?;
        let gone = idempotency::forget(&mut tx, now).await?;
        tx.commit().await?;
        if gone == 0 {
            break;
        }
        forgotten += gone;
    }
    Ok(if forgotten == 0 { Outcome::Nothing } else { Outcome::Changed(forgotten) })
}
