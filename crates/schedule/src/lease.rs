//! Who runs a job: a row with an end. An epoch tells a holder that slept through its lease from the next one.

use chrono::{DateTime, Utc};
use service::{Scope, Store, StoreError, Tx};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) job: &'static str,
    pub(crate) holder: Uuid,
    epoch: i64,
}

impl Lease {
    /// Takes the lease until `until` if it is free at `now`, is over, or is this holder's own.
    pub(crate) async fn take(
        store: &Store,
        job: &'static str,
        holder: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<Self>, StoreError> {
        let mut tx = store.begin(Scope::System("take a job's lease")).await?;
        let epoch: Option<i64> = sqlx::query_scalar(
            "INSERT INTO job_leases (job, holder, epoch, expires_at) VALUES ($1, $2, 1, $4)
             ON CONFLICT (job) DO UPDATE
             SET holder = excluded.holder, epoch = job_leases.epoch + 1, expires_at = excluded.expires_at
             WHERE job_leases.expires_at <= $3 OR job_leases.holder = excluded.holder
             RETURNING epoch",
        )
        .bind(job)
        .bind(holder)
        .bind(now)
        .bind(until)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(epoch.map(|epoch| Self { job, holder, epoch }))
    }

    /// Moves the end; `false` when another has the lease.
    pub(crate) async fn renew(
        &self,
        store: &Store,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = store.begin(Scope::System("renew a job's lease")).await?;
        let renewed = sqlx::query(
            "UPDATE job_leases SET expires_at = $4 WHERE job = $1 AND holder = $2 AND epoch = $3",
        )
        .bind(self.job)
        .bind(self.holder)
        .bind(self.epoch)
        .bind(until)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Whether it is still this holder's; if so it stays so until `tx` ends.
    pub(crate) async fn check(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let held: Option<i64> = sqlx::query_scalar(
            "SELECT epoch FROM job_leases WHERE job = $1 AND holder = $2 AND epoch = $3 FOR SHARE",
        )
        .bind(self.job)
        .bind(self.holder)
        .bind(self.epoch)
        .fetch_optional(&mut **tx)
        .await?;
        Ok(held.is_some())
    }
}
