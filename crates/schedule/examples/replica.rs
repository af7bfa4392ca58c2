//! A replica whose only job writes a row for each slot, for tests that pause and kill whole processes:
//! `replica DATABASE_URL INTERVAL_MS LEASE_MS`. It stops upon SIGTERM once the run in hand is finished.
//!
//! The tables are the test's: `effects (slot, holder)` has no key, so a slot that runs twice shows; its holder is
//! whoever has the lease when it is written. Where the row of `gate` says `closed`, a run first tells in `begun (process)`
//! that it is there and waits.

use std::error::Error;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use schedule::{CatchUp, Job, Outcome, Patience, Run, RunError, Runner};
use service::config::DatabaseConfig;
use service::{Scope, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use types::{EventId, SiteClock, SystemClock};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, interval, lease] = arguments.as_slice() else {
        return Err("expected DATABASE_URL INTERVAL_MS LEASE_MS".into());
    };
    let interval = TimeDelta::milliseconds(i64::from_str(interval)?);
    let lease = Duration::from_millis(u64::from_str(lease)?);
    let config = DatabaseConfig { url: url.clone(), password: None, max_connections: 3 };
    let store = Store::connect(&config, "ticket").await?;
    let patience = Patience { lease, poll: Duration::from_millis(10), ..Patience::default() };
    let runner = Runner::new(store.clone(), SiteClock::system(), SystemClock::system())
        .with_patience(patience);
    let process = EventId::new().as_uuid();
    let job =
        Job::every("test.effect", interval, move |run: Run| work(run, store.clone(), process))
            .catching_up(CatchUp::Each);
    let stop = CancellationToken::new();
    let mut asked = signal(SignalKind::terminate())?;
    let running = runner.run(vec![job], stop.clone());
    tokio::pin!(running);
    tokio::select! {
        () = &mut running => {}
        _ = asked.recv() => {
            stop.cancel();
            running.await;
        }
    }
    Ok(())
}

async fn work(run: Run, store: Store, process: Uuid) -> Result<Outcome, RunError> {
    wait_at_gate(&store, process).await?;
    let mut tx = run.begin(Scope::System("the effect")).await?;
    sqlx::query("INSERT INTO effects (slot, holder) SELECT $1, holder FROM jobs WHERE job = $2")
        .bind(run.slot)
        .bind(run.job)
        .execute(&mut *tx)
        .await?;
    Ok(run.finish(tx, Outcome::Changed(1)).await?)
}

async fn wait_at_gate(store: &Store, process: Uuid) -> Result<(), RunError> {
    loop {
        let mut tx = store.begin(Scope::System("the gate")).await?;
        let closed: bool =
            sqlx::query_scalar("SELECT closed FROM gate").fetch_one(&mut *tx).await?;
        if !closed {
            return Ok(());
        }
        sqlx::query("INSERT INTO begun (process) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(process)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
