//! Who runs a job: a holder with an end, in the job's row. An epoch tells a holder that slept through its lease from
//! the next one.

use chrono::{DateTime, Utc};
use service::{Scope, Store, StoreError, Tx};
use uuid::Uuid;

use crate::mistakes;

#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) job: &'static str,
    pub(crate) holder: Uuid,
    pub(crate) epoch: i64,
}

/// A lease just taken, and the job's row as it is then.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) lease: Lease,
    pub(crate) disabled: bool,
    pub(crate) last_slot: Option<DateTime<Utc>>,
}

/// What may change while a job runs.
#[derive(Debug, Clone, Copy, Default, sqlx::FromRow)]
pub(crate) struct Standing {
    pub(crate) disabled: bool,
    /// Whether a slot was given up and none ran well since.
    pub(crate) alarmed: bool,
}

impl Lease {
    /// Takes the lease until `until` if it is free at `now`, is over, or is this holder's own. Waits until what runs
    /// under the lease before has ended its transactions.
    pub(crate) async fn take(
        tx: &mut Tx,
        job: &'static str,
        holder: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<Taken>, StoreError> {
        let taken: Option<(i64, bool, Option<DateTime<Utc>>)> = sqlx::query_as(
            "UPDATE jobs SET holder = $2, epoch = epoch + 1, expires_at = $4
             WHERE job = $1 AND (expires_at IS NULL OR expires_at <= $3 OR holder = $2)
             RETURNING epoch, disabled_at IS NOT NULL, last_slot",
        )
        .bind(job)
        .bind(holder)
        .bind(now)
        .bind(until)
        .fetch_optional(&mut **tx)
        .await?;
        Ok(taken.map(|(epoch, disabled, last_slot)| Taken {
            lease: Self { job, holder, epoch },
            disabled,
            last_slot,
        }))
    }

    /// Moves the end; `false` when another has the lease.
    pub(crate) async fn renew(
        &self,
        store: &Store,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = store.begin(Scope::System("renew a job's lease")).await?;
        let renewed = sqlx::query(
            "UPDATE jobs SET expires_at = $4 WHERE job = $1 AND holder = $2 AND epoch = $3",
        )
        .bind(self.job)
        .bind(self.holder)
        .bind(self.epoch)
        .bind(until)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(renewed.rows_affected() == 1 || mistakes::no_fencing())
    }

    /// Whether it is still this holder's; if so it stays so until `tx` ends.
    pub(crate) async fn check(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        Ok(self.standing(tx).await?.is_some())
    }

    /// [`Self::check`], and how the job stands by now; `None` when the lease is another's.
    pub(crate) async fn standing(&self, tx: &mut Tx) -> Result<Option<Standing>, StoreError> {
        let standing: Option<Standing> = sqlx::query_as(
            "SELECT disabled_at IS NOT NULL AS disabled, alarmed FROM jobs
             WHERE job = $1 AND holder = $2 AND epoch = $3 FOR KEY SHARE",
        )
        .bind(self.job)
        .bind(self.holder)
        .bind(self.epoch)
        .fetch_optional(&mut **tx)
        .await?;
        Ok(standing.or_else(|| mistakes::no_fencing().then(Standing::default)))
    }

    /// Gives it back: the next slot is whoever's comes first. Does nothing to another's.
    pub(crate) async fn release(
        &self,
        tx: &mut Tx,
        next_slot: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE jobs SET expires_at = NULL, next_slot = $4 WHERE job = $1 AND holder = $2 AND epoch = $3",
        )
        .bind(self.job)
        .bind(self.holder)
        .bind(self.epoch)
        .bind(next_slot)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use service::{Scope, Store, StoreError};
    use test_support::Database;
    use types::EventId;

    use super::Lease;

    const JOB: &str = "test.job";

    fn now() -> DateTime<Utc> {
        "2026-03-02T00:00:00Z".parse().unwrap()
    }

    async fn registered(database: &Database) -> Store {
        let store = database.store("ticket").await;
        let mut tx = store.begin(Scope::System("register")).await.unwrap();
        sqlx::query("INSERT INTO jobs (job, cadence) VALUES ($1, 'on event')")
            .bind(JOB)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        store
    }

    async fn take(store: &Store, at: DateTime<Utc>) -> Result<Option<Lease>, StoreError> {
        let mut tx = store.begin(Scope::System("take")).await?;
        sqlx::query("SET LOCAL lock_timeout = '50ms'").execute(&mut *tx).await?;
        let until = at + TimeDelta::seconds(10);
        let holder = EventId::new().as_uuid();
        let taken = Lease::take(&mut tx, JOB, holder, at, until).await?;
        tx.commit().await?;
        Ok(taken.map(|taken| taken.lease))
    }

    #[tokio::test]
    async fn a_lease_is_one_holders_until_it_is_over_or_given_back() {
        let database = Database::create().await;
        let store = registered(&database).await;
        let lease = take(&store, now()).await.unwrap().unwrap();
        assert!(take(&store, now() + TimeDelta::seconds(9)).await.unwrap().is_none());
        assert!(lease.renew(&store, now() + TimeDelta::seconds(20)).await.unwrap());
        assert!(take(&store, now() + TimeDelta::seconds(19)).await.unwrap().is_none());
        let next = take(&store, now() + TimeDelta::seconds(20)).await.unwrap().unwrap();
        assert!(!lease.renew(&store, now() + TimeDelta::seconds(30)).await.unwrap());
        let mut tx = store.begin(Scope::System("release")).await.unwrap();
        assert!(!lease.check(&mut tx).await.unwrap());
        lease.release(&mut tx, None).await.unwrap();
        assert!(next.check(&mut tx).await.unwrap());
        tx.commit().await.unwrap();
        assert!(take(&store, now() + TimeDelta::seconds(21)).await.unwrap().is_none());
        let mut tx = store.begin(Scope::System("release")).await.unwrap();
        next.release(&mut tx, None).await.unwrap();
        tx.commit().await.unwrap();
        assert!(take(&store, now() + TimeDelta::seconds(21)).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_take_over_waits_for_what_is_being_committed_and_the_heartbeat_does_not() {
        let database = Database::create().await;
        let store = registered(&database).await;
        let lease = take(&store, now()).await.unwrap().unwrap();
        let mut work = store.begin(Scope::System("work")).await.unwrap();
        assert!(lease.check(&mut work).await.unwrap());
        assert!(lease.renew(&store, now() + TimeDelta::seconds(20)).await.unwrap());
        let over = now() + TimeDelta::seconds(30);
        assert!(matches!(take(&store, over).await, Err(StoreError::Unavailable)));
        work.commit().await.unwrap();
        assert!(take(&store, over).await.unwrap().is_some());
    }
}
