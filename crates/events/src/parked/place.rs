//! What consumers do at the parking place: put an event there, take it back, leave it with its effect.

use service::migrate::schema;
use service::{Scope, Store, StoreError, Tx, telemetry};
use sqlx::types::Uuid;
use tracing::Instrument;
use types::{EventId, SystemClock};

use crate::alert;
use crate::consumer::{Handler, Refused, take_parked};
use crate::delivery::{Delivery, Failure};

/// Taken back between two looks for others that were asked back.
const BATCH: i64 = 100;

/// An event as it was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) id: EventId,
    pub(crate) subject: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) traceparent: Option<&'a str>,
    pub(crate) attempt: u32,
}

/// The context whose outbox is in this service's schema.
pub(crate) fn context(store: &Store) -> String {
    schema(store.service())
}

/// Puts an event aside with what went wrong, and tells of it when it is its consumer's only one. Parking it again
/// replaces the error. `false` when it was taken or given up meanwhile, and stays away.
pub(crate) async fn park(
    store: &Store,
    consumer: &str,
    of: &str,
    sent: Sent<'_>,
    error: &str,
) -> Result<bool, StoreError> {
    let mut tx = store.begin(Scope::System("park an event")).await?;
    turn(&mut tx, consumer).await?;
    let first = !any(&mut tx, consumer).await?;
    let parked = sqlx::query(
        "INSERT INTO parked_events
             (consumer, context, event_id, subject, payload, traceparent, error, attempts, parked_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
         WHERE NOT EXISTS (SELECT FROM inbox WHERE consumer = $1 AND event_id = $3)
         ON CONFLICT (consumer, event_id) DO UPDATE
         SET error = excluded.error, attempts = parked_events.attempts + 1, parked_at = excluded.parked_at,
             asked_back_at = NULL",
    )
    .bind(consumer)
    .bind(of)
    .bind(sent.id.as_uuid())
    .bind(sent.subject)
    .bind(sent.payload)
    .bind(sent.traceparent)
    // PostgreSQL's text holds no zero byte; an error may quote one.
    .bind(error.replace('\0', " "))
    .bind(i32::try_from(sent.attempt).unwrap_or(i32::MAX))
    .bind(SystemClock::system().now())
    .execute(&mut *tx)
    .await?
    .rows_affected()
        > 0;
    if parked && first {
        // Not the error: a panic's words may quote what was worked on.
        let detail = format!("{} of {} after {} attempts", sent.id, sent.subject, sent.attempt);
        let kind = alert::Kind::EventParked;
        alert::raise(&mut tx, &context(store), kind, consumer, &detail).await?;
    }
    tx.commit().await?;
    Ok(parked)
}

/// Takes events from the parking place, those that are there, with their subjects and attempts; tells that it is over
/// when nothing of their consumer's is left.
pub(crate) async fn release(
    tx: &mut Tx,
    store: &Store,
    consumer: &str,
    events: &[EventId],
) -> Result<Vec<(String, i32)>, StoreError> {
    turn(tx, consumer).await?;
    let events: Vec<Uuid> = events.iter().map(|event| event.as_uuid()).collect();
    let released: Vec<(String, i32)> = sqlx::query_as(
        "DELETE FROM parked_events WHERE consumer = $1 AND event_id = ANY ($2) RETURNING subject, attempts",
    )
    .bind(consumer)
    .bind(events)
    .fetch_all(&mut **tx)
    .await?;
    if !released.is_empty() && !any(tx, consumer).await? {
        alert::clear(tx, &context(store), alert::Kind::EventParked, consumer).await?;
    }
    Ok(released)
}

/// Until the transaction ends nobody else parks or releases: who is the first or the last is certain.
async fn turn(tx: &mut Tx, consumer: &str) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('parked'), hashtext($1))")
        .bind(consumer)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn any(tx: &mut Tx, consumer: &str) -> Result<bool, StoreError> {
    let any = sqlx::query_scalar("SELECT EXISTS (SELECT FROM parked_events WHERE consumer = $1)")
        .bind(consumer)
        .fetch_one(&mut **tx)
        .await?;
    Ok(any)
}

/// How many events of a context this consumer has parked, and whether some of them were asked back. One look for both:
/// every consumer takes it every few seconds.
pub(crate) async fn waiting(
    store: &Store,
    consumer: &str,
    of: &str,
) -> Result<(i64, bool), StoreError> {
    let mut tx = store.begin(Scope::System("look for parked events")).await?;
    let waiting = sqlx::query_as(
        "SELECT count(*), count(asked_back_at) > 0 FROM parked_events WHERE consumer = $1 AND context = $2",
    )
    .bind(consumer)
    .bind(of)
    .fetch_one(&mut *tx)
    .await?;
    Ok(waiting)
}

#[derive(sqlx::FromRow)]
struct Asked {
    event_id: Uuid,
    payload: Vec<u8>,
    traceparent: Option<String>,
    attempts: i32,
}

/// Takes back some of what was asked back from this handler, and says whether to look for more at once. A database
/// that is away is met again at the next look.
pub(crate) async fn resume<H: Handler>(store: &Store, handler: &H) -> bool {
    let durable = handler.durable();
    let asked = match asked(store, durable, handler.context()).await {
        Ok(asked) => asked,
        Err(err) => {
            tracing::debug!(durable, error = %err, "parked events could not be looked up");
            return false;
        }
    };
    let more = i64::try_from(asked.len()) == Ok(BATCH);
    for row in asked {
        let span = tracing::info_span!("resume", messaging.consumer.group.name = durable);
        telemetry::set_parent(&span, row.traceparent.as_deref());
        let event = row.event_id;
        if let Err(err) = take_back(store, handler, row).instrument(span).await {
            tracing::warn!(durable, %event, error = %err, "parked event could not be taken back");
            return false;
        }
    }
    more
}

/// A consumer of several contexts has a handler for each; none takes another's events.
async fn asked(store: &Store, consumer: &str, of: &str) -> Result<Vec<Asked>, StoreError> {
    let mut tx = store.begin(Scope::System("take parked events back")).await?;
    let rows = sqlx::query_as(
        "SELECT event_id, payload, traceparent, attempts FROM parked_events
         WHERE consumer = $1 AND context = $2 AND asked_back_at IS NOT NULL ORDER BY event_id LIMIT $3",
    )
    .bind(consumer)
    .bind(of)
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows)
}

async fn take_back<H: Handler>(store: &Store, handler: &H, row: Asked) -> Result<(), StoreError> {
    let attempt = u32::try_from(row.attempts).unwrap_or_default() + 1;
    let result = match Delivery::read(&row.payload, attempt) {
        Ok(delivery) => {
            let delivery = Delivery { traceparent: row.traceparent, ..delivery };
            take_parked(store, handler, &delivery).await
        }
        Err(problem) => {
            Err(Failure::Park(format!("the envelope cannot be read: {problem}")).into())
        }
    };
    let error = match result {
        Ok(()) => return Ok(()),
        // No fault of the event's: it stays asked back.
        Err(Refused::Unavailable) => return Err(StoreError::Unavailable),
        Err(Refused::Failed(Failure::Retry(error) | Failure::Park(error))) => error,
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
