//! The rows of slots. What is written of a run is written under its holder and epoch.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use service::{StoreError, Tx, faults};

use crate::lease::Lease;

/// What a slot came to that a later one made good.
pub(crate) const MADE_GOOD: &str = "made good later";
/// What a slot came to whose attempts all failed; the error stands beside it.
pub(crate) const GIVEN_UP: &str = "given up";

/// A slot that waits, runs, or began and did not end.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Unfinished {
    pub(crate) slot: DateTime<Utc>,
    pub(crate) key: String,
    pub(crate) attempts: i32,
    /// By the database's clock, as is `read_at`: of a replica's that is ahead all others would wait as long as it is.
    retry_at: Option<DateTime<Utc>>,
    read_at: DateTime<Utc>,
    pub(crate) traceparent: Option<String>,
}

impl Unfinished {
    /// How long it is to be left alone after it failed.
    pub(crate) fn wait(&self) -> Duration {
        self.retry_at.map_or(Duration::ZERO, |at| (at - self.read_at).to_std().unwrap_or_default())
    }
}

/// Which row of a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) slot: DateTime<Utc>,
    pub(crate) key: &'a str,
}

/// Up to a hundred of a job's unfinished slots, oldest first.
pub(crate) async fn unfinished(tx: &mut Tx, job: &str) -> Result<Vec<Unfinished>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT slot, key, attempts, retry_at, statement_timestamp() AS read_at, traceparent FROM job_runs
         WHERE job = $1 AND finished_at IS NULL ORDER BY slot, key LIMIT 100",
    )
    .bind(job)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

/// Those of an event job that may be run now; a failed one in its wait hides none behind it.
pub(crate) async fn triggered(tx: &mut Tx, job: &str) -> Result<Vec<Unfinished>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT slot, key, attempts, retry_at, statement_timestamp() AS read_at, traceparent FROM job_runs
         WHERE job = $1 AND finished_at IS NULL AND (retry_at IS NULL OR retry_at <= statement_timestamp())
         ORDER BY slot, key LIMIT 100",
    )
    .bind(job)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

/// Forgets what time triggered after `now`, for a clock that was set back: those slots will come again. Answers with
/// the newest slot that is left.
pub(crate) async fn forget_after(
    tx: &mut Tx,
    job: &str,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    sqlx::query("DELETE FROM job_runs WHERE job = $1 AND slot > $2 AND key = ''")
        .bind(job)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    newest(tx, job, None).await
}

/// Forgets what time triggered after `after` and began later than the database's own time by more than `apart`: the
/// clock it ran under is ahead, and those slots are still to come. Says whether there was any.
pub(crate) async fn forget_ahead(
    tx: &mut Tx,
    job: &str,
    after: DateTime<Utc>,
    apart: TimeDelta,
) -> Result<bool, StoreError> {
    let forgotten = sqlx::query(
        "DELETE FROM job_runs
         WHERE job = $1 AND slot > $2 AND key = '' AND started_at > statement_timestamp() + $3",
    )
    .bind(job)
    .bind(after)
    .bind(apart)
    .execute(&mut **tx)
    .await?;
    Ok(forgotten.rows_affected() > 0)
}

/// The newest slot that has a row, or `at_least` if that is later, which is then the job's.
pub(crate) async fn newest(
    tx: &mut Tx,
    job: &str,
    at_least: Option<DateTime<Utc>>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let last = sqlx::query_scalar(
        "UPDATE jobs
         SET last_slot = greatest((SELECT max(slot) FROM job_runs WHERE job = $1 AND key = ''), $2)
         WHERE job = $1 RETURNING last_slot",
    )
    .bind(job)
    .bind(at_least)
    .fetch_one(&mut **tx)
    .await?;
    Ok(last)
}

/// What a slot takes over from those before it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Before {
    /// Slots that nobody ran.
    pub(crate) missed: u64,
    /// Attempts of those that failed.
    pub(crate) attempts: i32,
}

/// Takes a slot for the lease's holder, who has just proved to be it in `tx`, and says which attempt it is; `None`
/// when it is done already. What time triggered moves the job's newest slot.
pub(crate) async fn claim(
    tx: &mut Tx,
    lease: &Lease,
    place: Place<'_>,
    before: Before,
    now: DateTime<Utc>,
) -> Result<Option<u32>, StoreError> {
    let attempts: Option<i32> = sqlx::query_scalar(
        "WITH newest AS (
             UPDATE jobs SET last_slot = greatest(last_slot, $2) WHERE job = $1 AND $3 = ''
         )
         INSERT INTO job_runs (job, slot, key, holder, epoch, attempts, started_at, missed)
         VALUES ($1, $2, $3, $4, $5, $8 + 1, $6, $7)
         ON CONFLICT (job, slot, key) DO UPDATE
         SET holder = excluded.holder, epoch = excluded.epoch, attempts = job_runs.attempts + 1,
             started_at = excluded.started_at, retry_at = NULL
         WHERE job_runs.finished_at IS NULL
         RETURNING attempts",
    )
    .bind(lease.job)
    .bind(place.slot)
    .bind(place.key)
    .bind(lease.holder)
    .bind(lease.epoch)
    .bind(now)
    .bind(i64::try_from(before.missed).unwrap_or(i64::MAX))
    .bind(before.attempts)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(attempts.and_then(|attempts| u32::try_from(attempts).ok()))
}

/// Leaves a failed slot open, for whoever comes first after `wait`.
pub(crate) async fn leave(
    tx: &mut Tx,
    lease: &Lease,
    place: Place<'_>,
    wait: TimeDelta,
    error: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE job_runs SET retry_at = statement_timestamp() + $6, error = $7
         WHERE job = $1 AND slot = $2 AND key = $3 AND holder = $4 AND epoch = $5 AND finished_at IS NULL",
    )
    .bind(lease.job)
    .bind(place.slot)
    .bind(place.key)
    .bind(lease.holder)
    .bind(lease.epoch)
    .bind(wait)
    .bind(error)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How a slot is closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Close<'a> {
    pub(crate) outcome: &'a str,
    pub(crate) error: Option<&'a str>,
    /// What unfinished slots before it came to by that; they stay as they are when empty.
    pub(crate) earlier: Option<&'a str>,
    pub(crate) now: DateTime<Utc>,
}

/// Closes a slot; `false` when it is closed already, or another's.
pub(crate) async fn close(
    tx: &mut Tx,
    lease: &Lease,
    place: Place<'_>,
    close: Close<'_>,
) -> Result<bool, StoreError> {
    let closed = sqlx::query(
        "UPDATE job_runs SET finished_at = $6, retry_at = NULL, outcome = $7, error = coalesce($8, error)
         WHERE job = $1 AND slot = $2 AND key = $3 AND holder = $4 AND epoch = $5 AND finished_at IS NULL",
    )
    .bind(lease.job)
    .bind(place.slot)
    .bind(place.key)
    .bind(lease.holder)
    .bind(lease.epoch)
    .bind(close.now)
    .bind(close.outcome)
    .bind(close.error)
    .execute(&mut **tx)
    .await?
    .rows_affected()
        == 1;
    if let (true, Some(outcome)) = (closed, close.earlier) {
        sqlx::query(
            "UPDATE job_runs SET finished_at = $3, retry_at = NULL, outcome = $4
             WHERE job = $1 AND slot < $2 AND key = '' AND finished_at IS NULL",
        )
        .bind(lease.job)
        .bind(place.slot)
        .bind(close.now)
        .bind(outcome)
        .execute(&mut **tx)
        .await?;
    }
    Ok(closed || faults::mistake("no-fencing"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta, Utc};
    use service::{Scope, Store};
    use test_support::Database;
    use uuid::Uuid;

    use super::{Before, Close, MADE_GOOD, Place, claim, close, leave, unfinished};
    use crate::lease::Lease;

    fn now() -> DateTime<Utc> {
        "2026-03-02T00:00:00Z".parse().unwrap()
    }

    fn place() -> Place<'static> {
        Place { slot: now(), key: "" }
    }

    fn lease(holder: u128, epoch: i64) -> Lease {
        Lease {
            job: "test.job",
            holder: Uuid::from_u128(holder),
            epoch,
            ttl: Duration::from_secs(10),
        }
    }

    fn done() -> Close<'static> {
        Close { outcome: "done", error: None, earlier: Some(MADE_GOOD), now: now() }
    }

    async fn in_transaction<T>(store: &Store, work: impl AsyncFnOnce(&mut service::Tx) -> T) -> T {
        let mut tx = store.begin(Scope::System("work")).await.unwrap();
        let answer = work(&mut tx).await;
        tx.commit().await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_slot_is_closed_by_its_newest_attempt_alone_and_then_never_claimed_again() {
        let database = Database::create().await;
        let store = database.store("ticket").await;
        in_transaction(&store, async |tx| {
            let first = lease(1, 1);
            assert_eq!(
                claim(tx, &first, place(), Before::default(), now()).await.unwrap(),
                Some(1)
            );
            // The same process may hold a later lease; its first run is as stale as another's.
            let second = lease(1, 2);
            assert_eq!(
                claim(tx, &second, place(), Before::default(), now()).await.unwrap(),
                Some(2)
            );
            leave(tx, &first, place(), TimeDelta::hours(1), "stale").await.unwrap();
            assert!(!close(tx, &first, place(), done()).await.unwrap());
            assert!(!close(tx, &lease(2, 2), place(), done()).await.unwrap());
            let open = unfinished(tx, "test.job").await.unwrap();
            assert_eq!((open.len(), open[0].wait()), (1, Duration::ZERO));
            assert!(close(tx, &second, place(), done()).await.unwrap());
            assert!(!close(tx, &second, place(), done()).await.unwrap());
            assert_eq!(claim(tx, &second, place(), Before::default(), now()).await.unwrap(), None);
        })
        .await;
    }

    #[tokio::test]
    async fn what_makes_earlier_slots_good_closes_those_and_no_persons() {
        let database = Database::create().await;
        let store = database.store("ticket").await;
        in_transaction(&store, async |tx| {
            let lease = lease(1, 1);
            let before = now() - TimeDelta::minutes(1);
            for key in ["", "manual:1"] {
                claim(tx, &lease, Place { slot: before, key }, Before::default(), now())
                    .await
                    .unwrap();
            }
            claim(tx, &lease, place(), Before::default(), now()).await.unwrap();
            assert!(close(tx, &lease, place(), done()).await.unwrap());
            let open = unfinished(tx, "test.job").await.unwrap();
            assert_eq!(open.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["manual:1"]);
        })
        .await;
    }
}
