//! A notice's row and the fact about it, together.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};

use crate::domain::Notice;
use crate::store::{Versioned, notices};
use crate::wire::{self, Fact};

/// Writes a changed notice and tells where it went.
pub(crate) async fn save(
    tx: &mut Tx,
    notice: &mut Versioned<Notice>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    notices::save(tx, notice).await?;
    tell(tx, notice, at).await
}

/// Writes a new notice and tells where it went; the worker's second of a kind and ticket changes nothing.
pub(crate) async fn insert(
    tx: &mut Tx,
    notice: Notice,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    if notices::insert(tx, &notice).await? {
        tell(tx, &Versioned { value: notice, version: 1 }, at).await?;
    }
    Ok(())
}

async fn tell(
    tx: &mut Tx,
    notice: &Versioned<Notice>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    match wire::fact(&notice.value, notice.version) {
        None => return Ok(()),
        Some(Fact::Sent(fact)) => events::enqueue(tx, &fact, at).await?,
        Some(Fact::Failed(fact)) => events::enqueue(tx, &fact, at).await?,
        Some(Fact::Skipped(fact)) => events::enqueue(tx, &fact, at).await?,
    };
    let labels =
        [("status", notice.value.status().as_str()), ("reason", wire::reason(notice.value.state))];
    metrics::counter!("sitepass_notifications_total", &labels).increment(1);
    Ok(())
}
