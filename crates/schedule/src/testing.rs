//! For tests of what jobs do: a run without a runner.

use std::time::Duration;

use chrono::{DateTime, Utc};
use service::{Scope, Store};
use types::{EventId, SystemClock};

use crate::lease::Lease;
use crate::run::Run;
use crate::runs::{self, Before, Place};

/// Takes over the job of that name and claims its slot at `now`, as a runner that has waited long enough would: runs
/// taken before may commit nothing more. The slot may be run again by a second call.
///
/// # Panics
/// When the database refuses, or the slot is closed.
pub async fn run(store: &Store, job: &'static str, now: DateTime<Utc>) -> Run {
    let mut tx = store.begin(Scope::System("run a job in a test")).await.expect("a database");
    sqlx::query(
        "INSERT INTO jobs (job, cadence) VALUES ($1, 'in a test') ON CONFLICT (job) DO UPDATE SET expires_at = NULL",
    )
    .bind(job)
    .execute(&mut *tx)
    .await
    .expect("the job is registered");
    let system = SystemClock::system();
    let (holder, ttl) = (EventId::new().as_uuid(), Duration::from_secs(10));
    let taken = Lease::take(&mut tx, job, holder, system.now(), ttl, None)
        .await
        .expect("the database takes the lease")
        .expect("the lease before is over");
    let place = Place { slot: now, key: "" };
    let attempt = runs::claim(&mut tx, &taken.lease, place, Before::default(), now)
        .await
        .expect("the database takes the claim")
        .expect("the slot is open");
    tx.commit().await.expect("the claim is committed");
    Run {
        job,
        slot: now,
        key: String::new(),
        now,
        missed: 0,
        attempt,
        makes_good: false,
        lease: taken.lease,
        store: store.clone(),
        system,
    }
}
