//! The one transaction of a batch: inbox rows and effects, all or nothing.

use std::any::Any;
use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use service::{Scope, Store, StoreError, Tx, faults};
use sqlx::types::Uuid;
use types::{EventId, SystemClock};

use super::Handler;
use crate::delivery::{Delivery, Failure};
use crate::halt::{Halt, Point};
use crate::parked;

/// How a failure's words begin that are a panic's.
pub(super) const PANICKED: &str = "the handler panicked: ";

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is committed.
    Handled,
    /// Its effect was there already; nothing was done.
    Repeated,
}

/// Why nothing of a batch was taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The database is away, which is no event's fault; after a commit it may have been taken nevertheless.
    Unavailable,
    Failed(Failure),
}

impl From<StoreError> for Refused {
    fn from(err: StoreError) -> Self {
        match err {
            StoreError::Unavailable => Self::Unavailable,
            err => Self::Failed(err.into()),
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Takes one delivery in, as the loop does, without a broker. A panic of the handler counts as [`Failure::Park`].
pub async fn deliver<H>(store: &Store, handler: &H, delivery: &Delivery) -> Result<Outcome, Failure>
where
    H: Handler + ?Sized,
{
    let taken = take(store, handler, std::slice::from_ref(delivery), None).await;
    match taken {
        Ok(outcomes) => Ok(outcomes.first().copied().unwrap_or(Outcome::Repeated)),
        Err(Refused::Failed(failure)) => Err(failure),
        Err(Refused::Unavailable) => Err(StoreError::Unavailable.into()),
    }
}

/// Takes `deliveries` in, in their order: all of sites or all of none. Says of each what became of it. One that was
/// parked before and had its effect now leaves the parking place with it.
pub(super) async fn take<H>(
    store: &Store,
    handler: &H,
    deliveries: &[Delivery],
    halt: Option<&Halt>,
) -> Result<Vec<Outcome>, Refused>
where
    H: Handler + ?Sized,
{
    let mut tx = store.begin(scope(deliveries)).await?;
    let (outcomes, parked) = enter(&mut tx, handler.durable(), deliveries).await?;
    let new = if outcomes.iter().all(|outcome| *outcome == Outcome::Handled) {
        Cow::Borrowed(deliveries)
    } else {
        let each = deliveries.iter().zip(&outcomes);
        let new = each.filter(|(_, outcome)| **outcome == Outcome::Handled);
        Cow::Owned(new.map(|(delivery, _)| delivery.clone()).collect())
    };
    if new.is_empty() {
        return Ok(outcomes);
    }
    effect(&mut tx, handler, &new).await?;
    if parked {
        let taken: Vec<EventId> = new.iter().map(|delivery| delivery.id).collect();
        parked::release(&mut tx, store, handler.durable(), &taken).await?;
    }
    Halt::pass(halt, Point::BeforeCommit).await;
    tx.commit().await?;
    Ok(outcomes)
}

/// The same for an event that was parked: it leaves the parking place with its effect.
pub(crate) async fn take_parked<H>(
    store: &Store,
    handler: &H,
    delivery: &Delivery,
) -> Result<(), Refused>
where
    H: Handler + ?Sized,
{
    let deliveries = std::slice::from_ref(delivery);
    let mut tx = store.begin(scope(deliveries)).await?;
    let (outcomes, _) = enter(&mut tx, handler.durable(), deliveries).await?;
    if outcomes == [Outcome::Handled] {
        effect(&mut tx, handler, deliveries).await?;
    }
    parked::release(&mut tx, store, handler.durable(), &[delivery.id]).await?;
    tx.commit().await?;
    Ok(())
}

fn scope(deliveries: &[Delivery]) -> Scope {
    let mut sites: Vec<_> = deliveries.iter().filter_map(|delivery| delivery.site).collect();
    sites.sort_unstable();
    sites.dedup();
    match sites.as_slice() {
        [] => Scope::System("events of no site"),
        [site] => Scope::Site(*site),
        _ => Scope::Sites(sites),
    }
}

/// Which of the events are in the consumer's inbox.
pub(super) async fn taken(
    store: &Store,
    consumer: &str,
    deliveries: &[Delivery],
) -> Result<HashSet<EventId>, StoreError> {
    if faults::mistake("no-dedupe") {
        return Ok(HashSet::new());
    }
    let ids: Vec<Uuid> = deliveries.iter().map(|delivery| delivery.id.as_uuid()).collect();
    let mut tx = store.begin(Scope::System("look for events that were taken")).await?;
    // The first and the last id spare the statement all other days.
    let taken: Vec<Uuid> = sqlx::query_scalar(
        "SELECT event_id FROM inbox
         WHERE consumer = $1 AND event_id = ANY ($2) AND event_id BETWEEN $3 AND $4",
    )
    .bind(consumer)
    .bind(&ids)
    .bind(ids.iter().min())
    .bind(ids.iter().max())
    .fetch_all(&mut *tx)
    .await?;
    Ok(taken.into_iter().map(EventId::from_uuid).collect())
}

/// Which of the events this consumer sees for the first time; of one that is here twice, only the first. And whether it
/// has one of them parked. Another transaction at the same event is waited for.
async fn enter(
    tx: &mut Tx,
    consumer: &str,
    deliveries: &[Delivery],
) -> Result<(Vec<Outcome>, bool), StoreError> {
    let mut ids: Vec<Uuid> = deliveries.iter().map(|delivery| delivery.id.as_uuid()).collect();
    // In one order, so that two replicas at the same events do not wait for each other.
    ids.sort_unstable();
    let new: Vec<(Uuid, bool)> = sqlx::query_as(
        "WITH new AS (
             INSERT INTO inbox (consumer, event_id, taken_at) SELECT $1, event_id, $3 FROM unnest($2::uuid[]) AS given (event_id)
             ON CONFLICT DO NOTHING RETURNING event_id
         )
         SELECT event_id, EXISTS (SELECT FROM parked_events WHERE consumer = $1 AND event_id = ANY ($2)) FROM new",
    )
    .bind(consumer)
    .bind(ids)
    .bind(SystemClock::system().now())
    .fetch_all(&mut **tx)
    .await?;
    let parked = new.first().is_some_and(|(_, parked)| *parked);
    let mut new: HashSet<Uuid> = new.into_iter().map(|(id, _)| id).collect();
    let outcome = |delivery: &Delivery| {
        let taken = new.remove(&delivery.id.as_uuid()) || faults::mistake("no-dedupe");
        if taken { Outcome::Handled } else { Outcome::Repeated }
    };
    Ok((deliveries.iter().map(outcome).collect(), parked))
}

async fn effect<H>(tx: &mut Tx, handler: &H, deliveries: &[Delivery]) -> Result<(), Failure>
where
    H: Handler + ?Sized,
{
    let work = async {
        assert!(!faults::mistake("panic-in-handler"), "as it was told to");
        handler.handle_all(tx, deliveries).await
    };
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(Failure::Park(format!("{PANICKED}{}", said(panic.as_ref())))),
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}
