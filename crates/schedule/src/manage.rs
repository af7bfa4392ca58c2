//! What an operator sees of a service's jobs and may do about them, from another process. The caller opens the
//! transaction, so that the record of who asked commits with what was asked; running processes see it within seconds.

use chrono::{DateTime, Utc};
use service::{Scope, Store, StoreError, Tx};
use uuid::Uuid;

use crate::trigger::{Triggered, trigger};

/// Begins the key of a run that a person asked for.
const MANUAL: &str = "manual:";

/// A job as it stands. Only jobs that some process has run are known.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Listed {
    pub job: String,
    /// `every 60 s`, a cron line, `on event`.
    pub cadence: String,
    /// Where its local times are read, if it has any.
    pub zone: Option<String>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub disabled_because: Option<String>,
    /// Whether a slot was given up and none ran well since.
    pub alarmed: bool,
    /// Site time, as the last run saw it.
    pub next_slot: Option<DateTime<Utc>>,
    /// Who runs it now.
    pub holder: Option<Uuid>,
    /// Its newest slot that was begun; the fields below are of that.
    pub slot: Option<DateTime<Utc>>,
    pub key: Option<String>,
    pub attempts: Option<i32>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub outcome: Option<String>,
    pub error: Option<String>,
}

/// Lists the jobs by name, as they stand at `now` (system time).
pub async fn list(store: &Store, now: DateTime<Utc>) -> Result<Vec<Listed>, StoreError> {
    let mut tx = store.begin(Scope::System("list jobs")).await?;
    let listed = sqlx::query_as(
        "SELECT job, cadence, zone, disabled_at, disabled_because, alarmed, next_slot,
                CASE WHEN expires_at > $1 THEN jobs.holder END AS holder,
                slot, key, attempts, started_at, finished_at, outcome, error
         FROM jobs LEFT JOIN LATERAL (
             SELECT slot, key, attempts, started_at, finished_at, outcome, error FROM job_runs run
             WHERE run.job = jobs.job AND started_at IS NOT NULL ORDER BY slot DESC, key DESC LIMIT 1
         ) AS newest ON true
         ORDER BY job",
    )
    .bind(now)
    .fetch_all(&mut *tx)
    .await?;
    Ok(listed)
}

/// A slot of a job, as far as it has come.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Slot {
    pub slot: DateTime<Utc>,
    /// Empty where time triggered it.
    pub key: String,
    pub attempts: i32,
    /// How many earlier slots it makes good.
    pub missed: i64,
    /// Of the newest attempt; empty while it waits for its first.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub outcome: Option<String>,
    /// Of the newest attempt that failed.
    pub error: Option<String>,
}

/// The newest slots of a job that are kept, up to `limit`, newest first; `None` when no process of the service ever
/// ran such a job.
pub async fn slots(store: &Store, job: &str, limit: i64) -> Result<Option<Vec<Slot>>, StoreError> {
    let mut tx = store.begin(Scope::System("list a job's runs")).await?;
    if !is_known(&mut tx, job).await? {
        return Ok(None);
    }
    let slots = sqlx::query_as(
        "SELECT slot, key, attempts, missed, started_at, finished_at, outcome, error FROM job_runs
         WHERE job = $1 ORDER BY slot DESC, key DESC LIMIT $2",
    )
    .bind(job)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    Ok(Some(slots))
}

/// What asking for a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It runs within seconds, or once a process runs the job.
    New,
    /// This id was asked for before; what it came to, if it has ended.
    Already(Option<String>),
    /// No process of the service ever ran such a job.
    Unknown,
    /// An event job has no run that nothing triggered.
    OnEvent,
    /// The id is no UUID of version 7, whose instant is the run's slot.
    BadId,
}

/// Asks for one run of a job that time triggers, also of a disabled one. It is a slot of its own: the job's times and
/// what they missed are untouched. Asked for twice with one id it is one run.
pub async fn ask(tx: &mut Tx, job: &str, id: Uuid) -> Result<Asked, StoreError> {
    let timed: Option<bool> =
        sqlx::query_scalar("SELECT cadence <> 'on event' FROM jobs WHERE job = $1")
            .bind(job)
            .fetch_optional(&mut **tx)
            .await?;
    match timed {
        None => return Ok(Asked::Unknown),
        Some(false) => return Ok(Asked::OnEvent),
        Some(true) => {}
    }
    let instant = id.get_timestamp().filter(|_| id.get_version_num() == 7).and_then(|at| {
        let (seconds, nanos) = at.to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
    });
    let Some(slot) = instant else { return Ok(Asked::BadId) };
    let key = format!("{MANUAL}{id}");
    if trigger(tx, job, slot, &key).await? == Triggered::New {
        return Ok(Asked::New);
    }
    let outcome = sqlx::query_scalar(
        "SELECT outcome FROM job_runs WHERE job = $1 AND slot = $2 AND key = $3",
    )
    .bind(job)
    .bind(slot)
    .bind(key)
    .fetch_one(&mut **tx)
    .await?;
    Ok(Asked::Already(outcome))
}

/// What switching a job came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched {
    Now,
    Already,
    /// No process of the service ever ran such a job.
    Unknown,
}

/// Stops a job from beginning slots; the run in hand is finished. Disabling a disabled one keeps the first reason.
pub async fn disable(
    tx: &mut Tx,
    job: &str,
    because: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Switched, StoreError> {
    let switched = sqlx::query(
        "UPDATE jobs SET disabled_at = $2, disabled_because = $3 WHERE job = $1 AND disabled_at IS NULL",
    )
    .bind(job)
    .bind(now)
    .bind(because)
    .execute(&mut **tx)
    .await?;
    switched_or_why(tx, job, switched.rows_affected()).await
}

/// Lets a disabled job go on. Slots it missed are made good as after any pause: the latest, or each, as the job says.
pub async fn enable(tx: &mut Tx, job: &str) -> Result<Switched, StoreError> {
    let switched = sqlx::query(
        "UPDATE jobs SET disabled_at = NULL, disabled_because = NULL WHERE job = $1 AND disabled_at IS NOT NULL",
    )
    .bind(job)
    .execute(&mut **tx)
    .await?;
    switched_or_why(tx, job, switched.rows_affected()).await
}

async fn switched_or_why(tx: &mut Tx, job: &str, rows: u64) -> Result<Switched, StoreError> {
    if rows == 1 {
        return Ok(Switched::Now);
    }
    Ok(if is_known(tx, job).await? { Switched::Already } else { Switched::Unknown })
}

async fn is_known(tx: &mut Tx, job: &str) -> Result<bool, StoreError> {
    let known = sqlx::query_scalar("SELECT EXISTS (SELECT FROM jobs WHERE job = $1)")
        .bind(job)
        .fetch_one(&mut **tx)
        .await?;
    Ok(known)
}
