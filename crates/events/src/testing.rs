//! What tests of a service need to look at its outbox and to hand it events; and where tests hold the loops here.

use chrono::DateTime;
use prost::Message;
use proto::Event;
use proto::common::v1::EventEnvelope;
use service::{Scope, Store};
use types::EventId;

use crate::delivery::Delivery;

pub use crate::halt::{Halt, Point};

/// Every fact in the service's outbox, in order, as name and message; states that were told again are none.
///
/// # Panics
/// When the outbox cannot be read.
pub async fn outbox(store: &Store) -> Vec<(String, Vec<u8>)> {
    let mut tx =
        store.begin(Scope::System("look at the outbox")).await.expect("the database answers");
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT name, payload FROM outbox WHERE NOT state_only ORDER BY seq")
            .fetch_all(&mut *tx)
            .await
            .expect("the outbox can be read");
    let data = |payload: Vec<u8>| {
        EventEnvelope::decode(payload.as_slice()).expect("an envelope of ours").data
    };
    rows.into_iter().map(|(name, payload)| (name, data(payload))).collect()
}

/// A first delivery of `event`, with a new id, at 2026-03-02T00:00:00Z. Set the fields a test cares about.
///
/// # Panics
/// When the event's site is no identifier.
pub fn delivery<E: Event>(event: &E) -> Delivery {
    Delivery {
        id: EventId::new(),
        name: E::NAME.to_owned(),
        context: E::CONTEXT.to_owned(),
        site: event.site_id().map(|site| site.parse().expect("the event's site is an identifier")),
        subject_id: event.subject_id(),
        version: event.version(),
        at: DateTime::from_timestamp(1_772_409_600, 0).expect("a valid instant"),
        data: event.encode_to_vec(),
        attempt: 1,
    }
}
