use chrono::{DateTime, Utc};
use service::{StoreError, Tx, telemetry};

/// What a trigger came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triggered {
    New,
    /// The slot is there already, waiting, running or run.
    Already,
}

/// Asks for one run of an event job in the caller's transaction: it runs once that is committed, at once where the
/// job is running, else at its next start, and never if it is rolled back. A slot is the instant of the cause (site
/// time, as the event carries it) and what it is about: asking twice for one writes one row. A job that no process
/// of this service has waits until one does.
pub async fn trigger(
    tx: &mut Tx,
    job: &str,
    slot: DateTime<Utc>,
    key: &str,
) -> Result<Triggered, StoreError> {
    let written = sqlx::query(
        "INSERT INTO job_runs (job, slot, key, traceparent, attempts, missed) VALUES ($1, $2, $3, $4, 0, 0)
         ON CONFLICT (job, slot, key) DO NOTHING",
    )
    .bind(job)
    .bind(slot)
    .bind(key)
    .bind(telemetry::current_traceparent())
    .execute(&mut **tx)
    .await?;
    Ok(if written.rows_affected() == 1 { Triggered::New } else { Triggered::Already })
}
