//! Who runs a job: a holder with an end, in the job's row. An epoch tells a holder that slept through its lease from
//! the next one.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use service::{Scope, Store, StoreError, Tx, faults};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) job: &'static str,
    pub(crate) holder: Uuid,
    pub(crate) epoch: i64,
    /// It is over so long after its holder's last sign of life.
    pub(crate) ttl: Duration,
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

/// How a lease stands that is another's: changed by each sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Held {
    epoch: i64,
    expires_at: Option<DateTime<Utc>>,
}

/// A lease that is another's, and since when it stands as it does. So two replicas need not have the same time for one
/// to know that the other is dead: a lease taken under a clock that is ahead would be over long after its holder.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: Option<(Held, Instant)>,
}

impl Watch {
    pub(crate) fn see(&mut self, held: Option<Held>, at: Instant) {
        if self.seen.map(|(held, _)| held) != held {
            self.seen = held.map(|held| (held, at));
        }
    }

    /// The lease, once its holder gave no sign of life for `ttl`.
    pub(crate) fn dead(&self, ttl: Duration, at: Instant) -> Option<Held> {
        let (held, since) = self.seen?;
        (at.saturating_duration_since(since) >= ttl).then_some(held)
    }
}

impl Lease {
    /// Takes the lease for `ttl` if it is free at `now`, is over, is this holder's own, or still stands as the `dead`
    /// one of a [`Watch`]. Waits until what runs under the lease before has ended its transactions. As each transaction
    /// that locks the job's row does, this one has the server end it when it is idle for as long as the lease: its
    /// process was paused, and others wait.
    pub(crate) async fn take(
        tx: &mut Tx,
        job: &'static str,
        holder: Uuid,
        now: DateTime<Utc>,
        ttl: Duration,
        dead: Option<Held>,
    ) -> Result<Option<Taken>, StoreError> {
        let taken: Option<(i64, bool, Option<DateTime<Utc>>, String)> = sqlx::query_as(
            "UPDATE jobs SET holder = $2, epoch = epoch + 1, expires_at = $4
             WHERE job = $1 AND (expires_at IS NULL OR expires_at <= $3 OR holder = $2
                                 OR (epoch = $6 AND expires_at = $7))
             RETURNING epoch, disabled_at IS NOT NULL, last_slot,
                       set_config('idle_in_transaction_session_timeout', $5, true)",
        )
        .bind(job)
        .bind(holder)
        .bind(now)
        .bind(after(now, ttl))
        .bind(idle(ttl))
        .bind(dead.map(|held| held.epoch))
        .bind(dead.and_then(|held| held.expires_at))
        .fetch_optional(&mut **tx)
        .await?;
        Ok(taken.map(|(epoch, disabled, last_slot, _)| Taken {
            lease: Self { job, holder, epoch, ttl },
            disabled,
            last_slot,
        }))
    }

    /// The lease of a job that could not be taken.
    pub(crate) async fn held(tx: &mut Tx, job: &str) -> Result<Option<Held>, StoreError> {
        let held = sqlx::query_as("SELECT epoch, expires_at FROM jobs WHERE job = $1")
            .bind(job)
            .fetch_optional(&mut **tx)
            .await?;
        Ok(held)
    }

    /// Moves the end as of `now`; `false` when another has the lease.
    pub(crate) async fn renew(
        &self,
        store: &Store,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = store.begin(Scope::System("renew a job's lease")).await?;
        let renewed = sqlx::query(
            "UPDATE jobs SET expires_at = $4 WHERE job = $1 AND holder = $2 AND epoch = $3
             RETURNING set_config('idle_in_transaction_session_timeout', $5, true)",
        )
        .bind(self.job)
        .bind(self.holder)
        .bind(self.epoch)
        .bind(after(now, self.ttl))
        .bind(idle(self.ttl))
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(renewed.is_some() || faults::mistake("no-fencing"))
    }

    /// Whether it is still this holder's; if so it stays so until `tx` ends.
    pub(crate) async fn check(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        Ok(self.standing(tx).await?.is_some())
    }

    /// [`Self::check`], and how the job stands by now; `None` when the lease is another's.
    pub(crate) async fn standing(&self, tx: &mut Tx) -> Result<Option<Standing>, StoreError> {
        let standing: Option<Standing> = sqlx::query_as(
            "SELECT disabled_at IS NOT NULL AS disabled, alarmed,
                    set_config('idle_in_transaction_session_timeout', $4, true)
             FROM jobs WHERE job = $1 AND holder = $2 AND epoch = $3 FOR KEY SHARE",
        )
        .bind(self.job)
        .bind(self.holder)
        .bind(self.epoch)
        .bind(idle(self.ttl))
        .fetch_optional(&mut **tx)
        .await?;
        Ok(standing.or_else(|| faults::mistake("no-fencing").then(Standing::default)))
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

fn after(now: DateTime<Utc>, ttl: Duration) -> DateTime<Utc> {
    let ttl = TimeDelta::from_std(ttl).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(ttl).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// For a transaction that locks what others' runs need and holds no lease.
pub(crate) async fn ends_when_idle(tx: &mut Tx, ttl: Duration) -> Result<(), StoreError> {
    sqlx::query("SELECT set_config('idle_in_transaction_session_timeout', $1, true)")
        .bind(idle(ttl))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// As PostgreSQL's settings are written; 0 would be for ever.
fn idle(ttl: Duration) -> String {
    format!("{}ms", ttl.as_millis().max(1))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use chrono::{DateTime, TimeDelta, Utc};
    use service::{Scope, Store, StoreError};
    use test_support::{Database, eventually};
    use types::EventId;

    use super::{Held, Lease, Watch};

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
        take_over(store, at, None).await
    }

    async fn take_over(
        store: &Store,
        at: DateTime<Utc>,
        dead: Option<Held>,
    ) -> Result<Option<Lease>, StoreError> {
        let mut tx = store.begin(Scope::System("take")).await?;
        sqlx::query("SET LOCAL lock_timeout = '50ms'").execute(&mut *tx).await?;
        let holder = EventId::new().as_uuid();
        let taken = Lease::take(&mut tx, JOB, holder, at, Duration::from_secs(10), dead).await?;
        tx.commit().await?;
        Ok(taken.map(|taken| taken.lease))
    }

    #[tokio::test]
    async fn a_lease_is_one_holders_until_it_is_over_or_given_back() {
        let database = Database::create().await;
        let store = registered(&database).await;
        let lease = take(&store, now()).await.unwrap().unwrap();
        assert!(take(&store, now() + TimeDelta::seconds(9)).await.unwrap().is_none());
        assert!(lease.renew(&store, now() + TimeDelta::seconds(10)).await.unwrap());
        assert!(take(&store, now() + TimeDelta::seconds(19)).await.unwrap().is_none());
        let next = take(&store, now() + TimeDelta::seconds(20)).await.unwrap().unwrap();
        assert!(!lease.renew(&store, now() + TimeDelta::seconds(20)).await.unwrap());
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
        assert!(lease.renew(&store, now() + TimeDelta::seconds(10)).await.unwrap());
        let over = now() + TimeDelta::seconds(30);
        assert!(matches!(take(&store, over).await, Err(StoreError::Unavailable)));
        work.commit().await.unwrap();
        assert!(take(&store, over).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn the_transaction_of_a_paused_process_does_not_hold_up_a_take_over_for_ever() {
        let database = Database::create().await;
        let store = registered(&database).await;
        let lease = take(&store, now()).await.unwrap().unwrap();
        let short = Lease { ttl: Duration::from_millis(50), ..lease };
        let mut paused = store.begin(Scope::System("work")).await.unwrap();
        assert!(short.check(&mut paused).await.unwrap());
        eventually("the server to end what is idle", async || {
            take(&store, now() + TimeDelta::seconds(30)).await.ok().flatten()
        })
        .await;
        assert!(matches!(paused.commit().await, Err(StoreError::Unavailable)));
    }

    #[tokio::test]
    async fn a_lease_that_ends_a_day_late_is_over_once_its_holder_is_dead_and_not_before() {
        let database = Database::create().await;
        let store = registered(&database).await;
        let held = async || {
            let mut tx = store.begin(Scope::System("look")).await.unwrap();
            Lease::held(&mut tx, JOB).await.unwrap()
        };
        let ahead = now() + TimeDelta::days(1);
        let lease = take(&store, ahead).await.unwrap().unwrap();
        let stood = held().await;
        assert!(take(&store, now()).await.unwrap().is_none());
        assert!(lease.renew(&store, ahead + TimeDelta::seconds(3)).await.unwrap());
        assert!(take_over(&store, now(), stood).await.unwrap().is_none(), "it lives");
        let next = take_over(&store, now(), held().await).await.unwrap().unwrap();
        let mut tx = store.begin(Scope::System("work")).await.unwrap();
        assert!(!lease.check(&mut tx).await.unwrap());
        assert!(next.check(&mut tx).await.unwrap());
    }

    #[test]
    fn a_holder_is_dead_after_its_time_without_a_sign_of_life() {
        let ttl = Duration::from_secs(10);
        let (start, mut watch) = (Instant::now(), Watch::default());
        let held = |epoch| Some(Held { epoch, expires_at: Some(now()) });
        assert_eq!(watch.dead(ttl, start), None);
        watch.see(held(1), start);
        watch.see(held(1), start + Duration::from_secs(9));
        assert_eq!(watch.dead(ttl, start + Duration::from_secs(9)), None);
        assert_eq!(watch.dead(ttl, start + ttl), held(1));
        watch.see(held(2), start + ttl);
        assert_eq!(watch.dead(ttl, start + Duration::from_secs(19)), None);
        watch.see(None, start + ttl);
        assert_eq!(watch.dead(ttl, start + ttl + ttl), None);
    }
}
