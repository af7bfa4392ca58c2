//! What tests of a service need to look at its outbox and to hand it events; and where tests hold the loops here.

use chrono::DateTime;
use prost::Message;
use proto::Event;
use proto::common::v1::EventEnvelope;
use service::{Scope, Store};
use types::EventId;

use crate::announce::Announce;
use crate::consumer::Handler;
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
        traceparent: None,
    }
}

/// What `owner` tells of every live aggregate, as a reader of the states gets it, with the kind and in order of the
/// kinds and ids. Writes nothing.
///
/// # Panics
/// When the owner cannot tell.
pub async fn announced<A: Announce>(store: &Store, owner: &A) -> Vec<(&'static str, Delivery)> {
    let mut all = Vec::new();
    for kind in proto::state_kinds(owner.context()) {
        let mut after = String::new();
        let mut tx =
            store.begin(Scope::System("look at what is told")).await.expect("the database answers");
        let rows = owner.rows(kind);
        while let Some(last) = rows.last_of_page(&mut tx, &after, 2).await.expect("ids are read") {
            let live = rows.lock(&mut tx, &after, &last).await.expect("rows are locked");
            let told = owner.tell(&mut tx, kind, &live).await.expect("the owner can tell");
            for told in told {
                assert_eq!(told.state().map(|state| state.kind), Some(kind));
                all.push((kind, told.delivery()));
            }
            after = last;
        }
    }
    all
}

/// Every event of a kind whose states the handler takes is among its events: any of them may be the newest.
///
/// # Panics
/// When one is not, or the handler's context has no such kind.
pub fn assert_takes_its_states<H: Handler + ?Sized>(handler: &H) {
    let of_context =
        || proto::all_events().iter().filter(|event| event.context == handler.context());
    for kind in handler.states() {
        let of_kind: Vec<&str> = of_context()
            .filter(|event| event.state == Some(kind))
            .map(|event| event.name)
            .collect();
        assert!(!of_kind.is_empty(), "{} has no {kind}", handler.context());
        for name in of_kind {
            let taken = handler.events().is_empty() || handler.events().contains(&name);
            assert!(taken, "{} takes the states of {kind} and not {name}", handler.durable());
        }
    }
}
