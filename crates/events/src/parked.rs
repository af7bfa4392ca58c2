//! Events no handler could take. They wait with their error until a person puts them back.

use chrono::{DateTime, Utc};
use service::{Scope, Store, StoreError, telemetry};
use tracing::Instrument;
use types::{EventId, SystemClock};
use uuid::Uuid;

use crate::consumer::{Handler, take_parked};
use crate::delivery::{Delivery, Failure};

/// Taken back in one go; the next look takes the rest.
const BATCH: i64 = 100;

/// One parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The durable consumer that could not take it.
    pub consumer: String,
    pub event: EventId,
    pub subject: String,
    pub error: String,
    pub attempts: i32,
    pub parked_at: DateTime<Utc>,
    /// When a person asked it back; its consumer takes it within seconds while it runs.
    pub asked_back_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    consumer: String,
    event_id: Uuid,
    subject: String,
    error: String,
    attempts: i32,
    parked_at: DateTime<Utc>,
    asked_back_at: Option<DateTime<Utc>>,
}

/// Every parked event of this service, oldest first.
pub async fn list(store: &Store) -> Result<Vec<Parked>, StoreError> {
    let mut tx = store.begin(Scope::System("list parked events")).await?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT consumer, event_id, subject, error, attempts, parked_at, asked_back_at
         FROM parked_events ORDER BY parked_at, event_id",
    )
    .fetch_all(&mut *tx)
    .await?;
    let parked =
        |Row { consumer, event_id, subject, error, attempts, parked_at, asked_back_at }| {
            let event = EventId::from_uuid(event_id);
            Parked { consumer, event, subject, error, attempts, parked_at, asked_back_at }
        };
    Ok(rows.into_iter().map(parked).collect())
}

/// Asks an event back for every consumer that parked it, and says how many did. The running consumers take it, in
/// any process, within seconds; one that fails again is parked again. Asking twice changes nothing.
pub async fn resend(store: &Store, event: EventId) -> Result<u64, StoreError> {
    let mut tx = store.begin(Scope::System("put a parked event back")).await?;
    let asked = sqlx::query("UPDATE parked_events SET asked_back_at = $2 WHERE event_id = $1")
        .bind(event.as_uuid())
        .bind(SystemClock::system().now())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(asked.rows_affected())
}

#[derive(sqlx::FromRow)]
struct Asked {
    event_id: Uuid,
    payload: Vec<u8>,
    traceparent: Option<String>,
    attempts: i32,
}

/// Takes what was asked back from this handler. A database that is away is met again at the next look.
pub(crate) async fn resume<H: Handler>(store: &Store, handler: &H) {
    let asked = match asked(store, handler.durable()).await {
        Ok(asked) => asked,
        Err(err) => return tracing::debug!(error = %err, "parked events could not be looked up"),
    };
    for row in asked {
        let span = tracing::info_span!("resume", messaging.consumer.group.name = handler.durable());
        telemetry::set_parent(&span, row.traceparent.as_deref());
        let event = row.event_id;
        if let Err(err) = take_back(store, handler, row).instrument(span).await {
            tracing::warn!(durable = handler.durable(), %event, error = %err, "parked event could not be taken back");
        }
    }
}

async fn asked(store: &Store, consumer: &str) -> Result<Vec<Asked>, StoreError> {
    let mut tx = store.begin(Scope::System("take parked events back")).await?;
    let rows = sqlx::query_as(
        "SELECT event_id, payload, traceparent, attempts FROM parked_events
         WHERE consumer = $1 AND asked_back_at IS NOT NULL ORDER BY event_id LIMIT $2",
    )
    .bind(consumer)
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows)
}

async fn take_back<H: Handler>(store: &Store, handler: &H, row: Asked) -> Result<(), StoreError> {
    let attempt = u32::try_from(row.attempts).unwrap_or_default() + 1;
    let result = match Delivery::read(&row.payload, attempt) {
        Ok(delivery) => take_parked(store, handler, &delivery).await,
        Err(problem) => Err(Failure::Park(format!("the envelope cannot be read: {problem}"))),
    };
    let error = match result {
        Ok(_) => return Ok(()),
        Err(Failure::Retry(error) | Failure::Park(error)) => error,
    };
    let mut tx = store.begin(Scope::System("park an event again")).await?;
    sqlx::query(
        "UPDATE parked_events SET error = $3, attempts = attempts + 1, parked_at = $4, asked_back_at = NULL
         WHERE consumer = $1 AND event_id = $2",
    )
    .bind(handler.durable())
    .bind(row.event_id)
    .bind(error.replace('\0', " "))
    .bind(SystemClock::system().now())
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
