//! The days of the outbox and the inbox: made ahead, dropped whole once they are no longer kept.

use std::convert::Infallible;
use std::time::Duration;

use service::{Scope, Store, StoreError};
use types::SystemClock;

use super::Retention;

/// Days that have a partition before they come.
const AHEAD: i32 = 2;
const EVERY: Duration = Duration::from_hours(1);
/// After a step that somebody stood in the way of.
const AGAIN: Duration = Duration::from_mins(1);

/// Looks after the days for ever.
pub(super) async fn keep(store: &Store, retention: &Retention) -> Infallible {
    loop {
        let mut wait = EVERY;
        for (parent, kept) in [("outbox", retention.outbox_days), ("inbox", retention.inbox_days)] {
            if let Err(err) = keep_one(store, parent, kept).await {
                tracing::warn!(parent, error = %err, "days could not be kept, trying again");
                wait = AGAIN;
            }
        }
        tokio::time::sleep(wait).await;
    }
}

async fn keep_one(store: &Store, parent: &str, kept: u16) -> Result<(), StoreError> {
    loop {
        let mut tx = store.begin(Scope::System("keep the days of events")).await?;
        // Writers wait for a day that is being made: not for long where this process is paused before it commits.
        let partition: Option<String> = sqlx::query_scalar(
            "SELECT keep_days($1, $2, $3, $4)
             FROM set_config('idle_in_transaction_session_timeout', '1500ms', true)",
        )
        .bind(parent)
        .bind(SystemClock::system().now())
        .bind(AHEAD)
        .bind(i32::from(kept))
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        let Some(partition) = partition else { return Ok(()) };
        tracing::debug!(partition, "made or dropped");
    }
}
