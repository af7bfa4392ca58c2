//! The rows of slots.

use chrono::{DateTime, Utc};
use service::{Scope, Store, StoreError};

use crate::lease::Lease;

/// What is known of a job's slots.
pub(crate) struct History {
    /// Begun and not finished, oldest first.
    pub(crate) unfinished: Vec<Unfinished>,
    pub(crate) last: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Unfinished {
    pub(crate) slot: DateTime<Utc>,
    pub(crate) key: String,
    pub(crate) retry_at: Option<DateTime<Utc>>,
    pub(crate) traceparent: Option<String>,
}

/// Which row of a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) slot: DateTime<Utc>,
    pub(crate) key: &'a str,
}

/// Reads the history. `forget_after` is given where the clock was set, which only the sandbox may do: slots after it
/// will come again.
pub(crate) async fn history(
    store: &Store,
    job: &str,
    forget_after: Option<DateTime<Utc>>,
) -> Result<History, StoreError> {
    let mut tx = store.begin(Scope::System("look at a job's runs")).await?;
    if let Some(now) = forget_after {
        sqlx::query("DELETE FROM job_runs WHERE job = $1 AND slot > $2")
            .bind(job)
            .bind(now)
            .execute(&mut *tx)
            .await?;
    }
    let mut unfinished: Vec<Unfinished> = sqlx::query_as(
        "SELECT slot, key, retry_at, traceparent FROM job_runs WHERE job = $1 AND finished_at IS NULL ORDER BY slot DESC LIMIT 100",
    )
    .bind(job)
    .fetch_all(&mut *tx)
    .await?;
    unfinished.reverse();
    let last = sqlx::query_scalar("SELECT max(slot) FROM job_runs WHERE job = $1")
        .bind(job)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(History { unfinished, last })
}

/// An event job's slots that may be run at `now` (system time), oldest first.
pub(crate) async fn triggered(
    store: &Store,
    job: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Unfinished>, StoreError> {
    let mut tx = store.begin(Scope::System("look for a job's triggers")).await?;
    let open = sqlx::query_as(
        "SELECT slot, key, retry_at, traceparent FROM job_runs
         WHERE job = $1 AND finished_at IS NULL AND (retry_at IS NULL OR retry_at <= $2)
         ORDER BY slot, key LIMIT 100",
    )
    .bind(job)
    .bind(now)
    .fetch_all(&mut *tx)
    .await?;
    Ok(open)
}

/// Takes a slot for the lease's holder and says which attempt it is; `None` when it is done or the lease is lost.
pub(crate) async fn claim(
    store: &Store,
    lease: &Lease,
    place: Place<'_>,
    missed: u64,
    now: DateTime<Utc>,
) -> Result<Option<u32>, StoreError> {
    let mut tx = store.begin(Scope::System("claim a job's slot")).await?;
    if !lease.check(&mut tx).await? {
        return Ok(None);
    }
    let attempts: Option<i32> = sqlx::query_scalar(
        "INSERT INTO job_runs (job, slot, key, holder, attempts, started_at, missed) VALUES ($1, $2, $6, $3, 1, $4, $5)
         ON CONFLICT (job, slot, key) DO UPDATE
         SET holder = excluded.holder, attempts = job_runs.attempts + 1, started_at = excluded.started_at
         WHERE job_runs.finished_at IS NULL
         RETURNING attempts",
    )
    .bind(lease.job)
    .bind(place.slot)
    .bind(lease.holder)
    .bind(now)
    .bind(i64::try_from(missed).unwrap_or(i64::MAX))
    .bind(place.key)
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(attempts.and_then(|attempts| u32::try_from(attempts).ok()))
}

/// Leaves a failed slot open until `retry_at`, for whoever comes first then.
pub(crate) async fn leave(
    store: &Store,
    lease: &Lease,
    place: Place<'_>,
    retry_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut tx = store.begin(Scope::System("leave a job's failed slot")).await?;
    sqlx::query(
        "UPDATE job_runs SET retry_at = $4 WHERE job = $1 AND slot = $2 AND holder = $3 AND key = $5",
    )
    .bind(lease.job)
    .bind(place.slot)
    .bind(lease.holder)
    .bind(retry_at)
    .bind(place.key)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// What closing a slot does to the slots before it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Earlier<'a> {
    /// Unfinished ones were made good by it.
    MadeGood,
    /// And those that came to this are deleted, so that a frequent job does not fill the table.
    Forgotten(&'a str),
    /// They are about something else.
    Kept,
}

/// Closes a slot.
pub(crate) async fn finish(
    store: &Store,
    lease: &Lease,
    place: Place<'_>,
    now: DateTime<Utc>,
    outcome: &str,
    earlier: Earlier<'_>,
) -> Result<(), StoreError> {
    let mut tx = store.begin(Scope::System("finish a job's slot")).await?;
    sqlx::query(
        "UPDATE job_runs SET finished_at = $4, outcome = CASE WHEN slot = $2 THEN $5 ELSE 'made good later' END
         WHERE job = $1 AND finished_at IS NULL
           AND ((slot = $2 AND key = $6 AND holder = $3) OR (slot < $2 AND $7))",
    )
    .bind(lease.job)
    .bind(place.slot)
    .bind(lease.holder)
    .bind(now)
    .bind(outcome)
    .bind(place.key)
    .bind(!matches!(earlier, Earlier::Kept))
    .execute(&mut *tx)
    .await?;
    if let Earlier::Forgotten(outcome) = earlier {
        sqlx::query("DELETE FROM job_runs WHERE job = $1 AND slot < $2 AND outcome = $3")
            .bind(lease.job)
            .bind(place.slot)
            .bind(outcome)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use service::Store;
    use test_support::Database;
    use types::EventId;

    use super::{Earlier, Place, claim, finish, history};
    use crate::lease::Lease;

    const JOB: &str = "test.job";
    const MADE_GOOD: Earlier<'_> = Earlier::MadeGood;

    fn now() -> DateTime<Utc> {
        "2026-03-02T00:00:00Z".parse().unwrap()
    }

    fn place() -> Place<'static> {
        Place { slot: now(), key: "" }
    }

    async fn take(store: &Store, at: DateTime<Utc>) -> Option<Lease> {
        let until = at + TimeDelta::seconds(10);
        Lease::take(store, JOB, EventId::new().as_uuid(), at, until).await.unwrap()
    }

    #[tokio::test]
    async fn a_lease_is_one_holders_until_it_is_over() {
        let database = Database::create().await;
        let store = database.store("ticket").await;
        let lease = take(&store, now()).await.unwrap();
        assert!(take(&store, now() + TimeDelta::seconds(9)).await.is_none());
        assert!(lease.renew(&store, now() + TimeDelta::seconds(20)).await.unwrap());
        assert!(take(&store, now() + TimeDelta::seconds(19)).await.is_none());
        assert!(take(&store, now() + TimeDelta::seconds(20)).await.is_some());
        assert!(!lease.renew(&store, now() + TimeDelta::seconds(30)).await.unwrap());
    }

    #[tokio::test]
    async fn a_slot_is_claimed_under_the_lease_and_once_finished_never_again() {
        let database = Database::create().await;
        let store = database.store("ticket").await;
        let lost = take(&store, now()).await.unwrap();
        let lease = take(&store, now() + TimeDelta::seconds(10)).await.unwrap();
        assert_eq!(claim(&store, &lost, place(), 0, now()).await.unwrap(), None);
        assert_eq!(claim(&store, &lease, place(), 0, now()).await.unwrap(), Some(1));
        assert_eq!(claim(&store, &lease, place(), 0, now()).await.unwrap(), Some(2));
        finish(&store, &lost, place(), now(), "not mine", MADE_GOOD).await.unwrap();
        assert_eq!(history(&store, JOB, None).await.unwrap().unfinished.len(), 1);
        finish(&store, &lease, place(), now(), "done", MADE_GOOD).await.unwrap();
        assert_eq!(claim(&store, &lease, place(), 0, now()).await.unwrap(), None);
    }
}
