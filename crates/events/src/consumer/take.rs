//! One delivery: inbox row and effect in one transaction, or the parking place.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use service::{Scope, Store, StoreError, Tx};
use types::{EventId, SystemClock};

use super::Handler;
use crate::delivery::{Delivery, Failure};

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is committed.
    Handled,
    /// Its effect was there already; nothing was done.
    Repeated,
}

/// Takes one delivery in, as the loop does, without a broker. A panic of the handler counts as [`Failure::Park`].
pub async fn deliver<H>(store: &Store, handler: &H, delivery: &Delivery) -> Result<Outcome, Failure>
where
    H: Handler + ?Sized,
{
    let mut tx = store.begin(scope(delivery)).await?;
    if !enter(&mut tx, handler.durable(), delivery.id).await? {
        return Ok(Outcome::Repeated);
    }
    effect(&mut tx, handler, delivery).await?;
    tx.commit().await?;
    Ok(Outcome::Handled)
}

/// The same for an event that was parked: it leaves the parking place with its effect.
pub(crate) async fn take_parked<H>(
    store: &Store,
    handler: &H,
    delivery: &Delivery,
) -> Result<Outcome, Failure>
where
    H: Handler + ?Sized,
{
    let mut tx = store.begin(scope(delivery)).await?;
    let new = enter(&mut tx, handler.durable(), delivery.id).await?;
    if new {
        effect(&mut tx, handler, delivery).await?;
    }
    sqlx::query("DELETE FROM parked_events WHERE consumer = $1 AND event_id = $2")
        .bind(handler.durable())
        .bind(delivery.id.as_uuid())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(if new { Outcome::Handled } else { Outcome::Repeated })
}

/// An event as it was sent, for the parking place.
pub(crate) struct Sent<'a> {
    pub(crate) id: EventId,
    pub(crate) subject: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) traceparent: Option<&'a str>,
    pub(crate) attempt: u32,
}

/// Puts an event aside with what went wrong. Parking it again replaces the error.
pub(crate) async fn park(
    store: &Store,
    consumer: &str,
    sent: Sent<'_>,
    error: &str,
) -> Result<(), StoreError> {
    let mut tx = store.begin(Scope::System("park an event")).await?;
    sqlx::query(
        "INSERT INTO parked_events (consumer, event_id, subject, payload, traceparent, error, attempts, parked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (consumer, event_id) DO UPDATE
         SET error = excluded.error, attempts = parked_events.attempts + 1, parked_at = excluded.parked_at,
             asked_back_at = NULL",
    )
    .bind(consumer)
    .bind(sent.id.as_uuid())
    .bind(sent.subject)
    .bind(sent.payload)
    .bind(sent.traceparent)
    // PostgreSQL's text holds no zero byte; an error may quote one.
    .bind(error.replace('\0', " "))
    .bind(i32::try_from(sent.attempt).unwrap_or(i32::MAX))
    .bind(SystemClock::system().now())
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

fn scope(delivery: &Delivery) -> Scope {
    delivery.site.map_or(Scope::System("an event of no site"), Scope::Site)
}

/// Whether this consumer sees the event for the first time. Another transaction at the same event is waited for.
async fn enter(tx: &mut Tx, consumer: &str, event: EventId) -> Result<bool, StoreError> {
    let inserted =
        sqlx::query("INSERT INTO inbox (consumer, event_id, taken_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(consumer)
            .bind(event.as_uuid())
            .bind(SystemClock::system().now())
            .execute(&mut **tx)
            .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn effect<H>(tx: &mut Tx, handler: &H, delivery: &Delivery) -> Result<(), Failure>
where
    H: Handler + ?Sized,
{
    match AssertUnwindSafe(handler.handle(tx, delivery)).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(Failure::Park(format!("the handler panicked: {}", said(panic.as_ref())))),
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}
