//! Events no handler could take. They wait with their error until a person puts them back or drops them.

mod place;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use service::{Scope, Store, StoreError, Tx};
use sqlx::types::Uuid;
use types::{EventId, SystemClock};

use crate::delivery::Delivery;
use crate::outbox::{AuditFact, audit, operator};

pub(crate) use place::{Sent, context, park, release, resume, waiting};

/// One parked event.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Parked {
    /// The durable consumer that could not take it.
    pub consumer: String,
    /// The context whose event it is.
    pub context: String,
    #[sqlx(rename = "event_id", try_from = "Uuid")]
    pub event: EventId,
    pub subject: String,
    pub error: String,
    pub attempts: i32,
    pub parked_at: DateTime<Utc>,
    /// When a person asked it back; its consumer takes it within seconds while it runs.
    pub asked_back_at: Option<DateTime<Utc>>,
    /// Of its body as it was sent.
    pub size_bytes: i32,
}

/// A parked event with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    pub parked: Parked,
    pub payload: Vec<u8>,
    pub traceparent: Option<String>,
    /// What the body says, or why it cannot be read.
    pub delivery: Result<Delivery, String>,
}

/// The oldest `limit` parked events of this service, of one consumer or of all.
pub async fn list(
    store: &Store,
    consumer: Option<&str>,
    limit: i64,
) -> Result<Vec<Parked>, StoreError> {
    let mut tx = store.begin(Scope::System("list parked events")).await?;
    let rows = sqlx::query_as(
        "SELECT consumer, context, event_id, subject, error, attempts, parked_at, asked_back_at,
             octet_length(payload) AS size_bytes
         FROM parked_events WHERE $1::text IS NULL OR consumer = $1
         ORDER BY parked_at, event_id, consumer LIMIT $2",
    )
    .bind(consumer)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows)
}

/// How many there are, of one consumer or of all.
pub async fn total(store: &Store, consumer: Option<&str>) -> Result<i64, StoreError> {
    let mut tx = store.begin(Scope::System("count parked events")).await?;
    let total = sqlx::query_scalar(
        "SELECT count(*) FROM parked_events WHERE $1::text IS NULL OR consumer = $1",
    )
    .bind(consumer)
    .fetch_one(&mut *tx)
    .await?;
    Ok(total)
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    parked: Parked,
    payload: Vec<u8>,
    traceparent: Option<String>,
}

/// Everything known of an event, once for each consumer that parked it.
pub async fn show(store: &Store, event: EventId) -> Result<Vec<Detail>, StoreError> {
    let mut tx = store.begin(Scope::System("show a parked event")).await?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT consumer, context, event_id, subject, error, attempts, parked_at, asked_back_at,
             octet_length(payload) AS size_bytes, payload, traceparent
         FROM parked_events WHERE event_id = $1 ORDER BY consumer",
    )
    .bind(event.as_uuid())
    .fetch_all(&mut *tx)
    .await?;
    let detail = |Row { parked, payload, traceparent }| {
        let attempt = u32::try_from(parked.attempts).unwrap_or_default();
        let delivery = Delivery::read(&payload, attempt);
        Detail { parked, payload, traceparent, delivery }
    };
    Ok(rows.into_iter().map(detail).collect())
}

/// Asks an event back for every consumer that parked it, and says how many did. The running consumers take it, in
/// any process, within seconds; one that fails again is parked again. Asking twice changes nothing. Leaves an audit
/// record where it asked.
pub async fn resend(store: &Store, event: EventId) -> Result<u64, StoreError> {
    let mut tx = store.begin(Scope::System("put a parked event back")).await?;
    let asked = sqlx::query("UPDATE parked_events SET asked_back_at = $2 WHERE event_id = $1")
        .bind(event.as_uuid())
        .bind(SystemClock::system().now())
        .execute(&mut *tx)
        .await?
        .rows_affected();
    if asked > 0 {
        let after = json!({ "consumers": asked });
        record(&mut tx, store, "parked.resend", event.to_string(), (None, after), None).await?;
    }
    tx.commit().await?;
    Ok(asked)
}

/// Asks every parked event back, of one consumer or of all, and says how many. They are taken beside the live events,
/// one after the other.
pub async fn resend_all(store: &Store, consumer: Option<&str>) -> Result<u64, StoreError> {
    let mut tx = store.begin(Scope::System("put parked events back")).await?;
    let asked = sqlx::query(
        "UPDATE parked_events SET asked_back_at = $2
         WHERE asked_back_at IS NULL AND ($1::text IS NULL OR consumer = $1)",
    )
    .bind(consumer)
    .bind(SystemClock::system().now())
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if asked > 0 {
        let target = consumer.unwrap_or("*").to_owned();
        let after = json!({ "events": asked });
        record(&mut tx, store, "parked.resend", target, (None, after), None).await?;
    }
    tx.commit().await?;
    Ok(asked)
}

/// Gives an event up for every consumer that parked it, or for one, and says for how many. It counts as taken in, so
/// neither a delivery nor a replay brings it back. Leaves an audit record with the reason.
pub async fn drop_event(
    store: &Store,
    event: EventId,
    consumer: Option<&str>,
    reason: &str,
) -> Result<usize, StoreError> {
    let mut tx = store.begin(Scope::System("drop a parked event")).await?;
    let consumers: Vec<String> = sqlx::query_scalar(
        "SELECT consumer FROM parked_events WHERE event_id = $1 AND ($2::text IS NULL OR consumer = $2)
         ORDER BY consumer",
    )
    .bind(event.as_uuid())
    .bind(consumer)
    .fetch_all(&mut *tx)
    .await?;
    let mut dropped = 0;
    for consumer in consumers {
        let entered = sqlx::query("INSERT INTO inbox (consumer, event_id, taken_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(&consumer)
            .bind(event.as_uuid())
            .bind(SystemClock::system().now())
            .execute(&mut *tx)
            .await?;
        // Its consumer may have taken it back in the meantime.
        let released = release(&mut tx, store, &consumer, &[event]).await?.pop();
        let Some((subject, attempts)) = released else { continue };
        let before = json!({ "consumer": consumer, "subject": subject, "attempts": attempts });
        // One that was in the inbox had its effect.
        let given_up = entered.rows_affected() > 0;
        let change = (Some(before), json!({ "consumer": consumer, "dropped": given_up }));
        record(&mut tx, store, "parked.drop", event.to_string(), change, Some(reason)).await?;
        dropped += 1;
    }
    tx.commit().await?;
    Ok(dropped)
}

async fn record(
    tx: &mut Tx,
    store: &Store,
    action: &str,
    target_id: String,
    (before, after): (Option<Value>, Value),
    reason: Option<&str>,
) -> Result<(), StoreError> {
    let fact = AuditFact {
        context: &context(store),
        caller: &operator(),
        action,
        target_type: "parked_event",
        target_id,
        site: None,
        before,
        after: Some(after),
        reason,
        at: SystemClock::system().now(),
    };
    audit(tx, fact).await?;
    Ok(())
}
