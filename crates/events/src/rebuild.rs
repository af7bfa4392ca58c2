//! Comparing a stream with the outbox it is a copy of, and having facts sent once more.
//!
//! The relay mends its stream by itself: when it takes the lead, after any doubt and every twenty seconds. This is for
//! people: to see that the two agree, and to bring a consumer up to date whose own database came from a backup.

use std::collections::HashMap;

use async_nats::jetstream::stream::Stream;
use chrono::{DateTime, TimeDelta, Utc};
use service::{Scope, Store, StoreError, Tx};
use types::SystemClock;
use uuid::Uuid;

use crate::bus::Bus;
use crate::relay::tail::{Held, Ids};

/// Why the two could not be compared, or nothing could be asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the broker: {0}")]
    Broker(#[source] async_nats::Error),
    /// There is no relay to ask.
    #[error("no relay has led the stream of {0} yet")]
    NeverLed(String),
}

impl From<sqlx::Error> for Error {
    fn from(err: sqlx::Error) -> Self {
        Self::Store(err.into())
    }
}

/// What an outbox and its stream hold, up to the place the relay last wrote down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Check {
    /// Facts the outbox keeps that were sent.
    pub sent: u64,
    /// Facts that wait to be sent; that they do is no difference.
    pub unsent: u64,
    /// First and last place the stream holds; `None` when there is no stream.
    pub stream: Option<(u64, u64)>,
    /// Sent facts whose message is gone though it has not expired.
    pub missing: u64,
    /// Sent facts at whose place another message is.
    pub displaced: u64,
    /// Messages at places no fact here has. Facts that were sent once more leave some behind; no difference either.
    pub unknown: u64,
}

impl Check {
    /// Whether the stream lacks something of the outbox.
    pub fn differs(&self) -> bool {
        self.missing > 0 || self.displaced > 0
    }
}

/// Compares each sent fact of `context` with its message. Changes nothing, and may run beside the relay.
pub async fn check(store: &Store, bus: &Bus, context: &str) -> Result<Check, Error> {
    let mut tx = store.begin(Scope::System("compare the outbox with its stream")).await?;
    let known: Option<i64> =
        sqlx::query_scalar("SELECT last_stream_seq FROM relay_state WHERE context = $1")
            .bind(context)
            .fetch_optional(&mut *tx)
            .await?;
    let known = known.unwrap_or_default();
    let (sent, unsent): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE stream_seq <= $2), count(*) FILTER (WHERE sent_at IS NULL)
         FROM outbox WHERE context = $1",
    )
    .bind(context)
    .bind(known)
    .fetch_one(&mut *tx)
    .await?;
    let mut check = Check { sent: count(sent), unsent: count(unsent), ..Check::default() };
    let Some(stream) = bus.find_stream(context).await.map_err(Error::Broker)? else {
        check.missing = check.sent;
        return Ok(check);
    };
    let info = stream.cached_info();
    let (first, last) = (info.state.first_sequence, info.state.last_sequence);
    check.stream = Some((first, last));
    let cutoff = SystemClock::system().now()
        - TimeDelta::from_std(info.config.max_age).unwrap_or(TimeDelta::zero());
    check.missing = outside(&mut tx, context, (first, last), known, cutoff).await?;
    compare(&mut tx, &stream, context, (first, last.min(known.unsigned_abs())), &mut check).await?;
    Ok(check)
}

/// Facts before the stream's first message that are too young to have expired, and those behind its last.
async fn outside(
    tx: &mut Tx,
    context: &str,
    (first, last): (u64, u64),
    known: i64,
    cutoff: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let missing: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM outbox WHERE context = $1 AND stream_seq < $2 AND sent_at > $5)
              + (SELECT count(*) FROM outbox WHERE context = $1 AND stream_seq > $3 AND stream_seq <= $4)",
    )
    .bind(context)
    .bind(first.cast_signed())
    .bind(last.cast_signed())
    .bind(known)
    .bind(cutoff)
    .fetch_one(&mut **tx)
    .await?;
    Ok(count(missing))
}

async fn compare(
    tx: &mut Tx,
    stream: &Stream,
    context: &str,
    (first, last): (u64, u64),
    check: &mut Check,
) -> Result<(), Error> {
    let mut from = first;
    let mut ids = Ids::between(stream, first, last).await.map_err(Error::Broker)?;
    while from <= last {
        let held = ids.next().await.map_err(Error::Broker)?;
        // Behind the last message there may still be places of deleted ones.
        let to = held.last().map_or(last, |(place, _)| *place);
        let facts: Vec<(i64, Uuid)> = sqlx::query_as(
            "SELECT stream_seq, event_id FROM outbox
             WHERE context = $1 AND stream_seq BETWEEN $2 AND $3",
        )
        .bind(context)
        .bind(from.cast_signed())
        .bind(to.cast_signed())
        .fetch_all(&mut **tx)
        .await?;
        tally(&facts, &held, check);
        from = to + 1;
    }
    Ok(())
}

fn tally(facts: &[(i64, Uuid)], held: &[Held], check: &mut Check) {
    let mut messages: HashMap<u64, Option<Uuid>> = held.iter().copied().collect();
    for (place, id) in facts {
        match messages.remove(&place.unsigned_abs()) {
            None => check.missing += 1,
            Some(found) if found != Some(*id) => check.displaced += 1,
            Some(_) => {}
        }
    }
    check.unknown += messages.len() as u64;
}

/// Asks the leading relay, in whatever process it runs, to send every fact written since `since` once more, behind
/// all others. Consumers that have an event in their inbox ignore it. Asking while an earlier request is under way
/// widens that one; asking again later sends them again. The caller opens the transaction, so that the record of who
/// asked commits with it.
pub async fn replay(tx: &mut Tx, context: &str, since: DateTime<Utc>) -> Result<(), Error> {
    let asked = sqlx::query(
        "UPDATE relay_state
         SET replay_from = least(replay_from, $2), replay_to = greatest(replay_to, $3) WHERE context = $1",
    )
    .bind(context)
    .bind(first_id(since))
    .bind(first_id(SystemClock::system().now() + TimeDelta::milliseconds(1)))
    .execute(&mut **tx)
    .await?;
    if asked.rows_affected() == 0 {
        return Err(Error::NeverLed(context.to_owned()));
    }
    Ok(())
}

/// How many facts are still to be sent, those asked for by [`replay`] included; zero when it is done.
pub async fn remaining(store: &Store, context: &str) -> Result<u64, Error> {
    let mut tx = store.begin(Scope::System("see how far a replay is")).await?;
    let remaining: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM outbox WHERE context = $1 AND sent_at IS NULL)
              + (SELECT count(*) FROM relay_state AS asked
                 JOIN outbox ON event_id > asked.replay_from AND event_id < asked.replay_to
                            AND sent_at IS NOT NULL AND NOT state_only
                 WHERE asked.context = $1 AND outbox.context = $1)",
    )
    .bind(context)
    .fetch_one(&mut *tx)
    .await?;
    Ok(count(remaining))
}

/// The first id an event of this instant can have: a version 7 UUID begins with the milliseconds since 1970.
fn first_id(at: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(at.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}

fn count(counted: i64) -> u64 {
    u64::try_from(counted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use types::EventId;
    use uuid::Uuid;

    use super::{Check, first_id, tally};

    #[test]
    fn the_first_id_of_an_instant_is_below_every_id_made_then() {
        let id = EventId::new().as_uuid();
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        let at = chrono::DateTime::from_timestamp(seconds.cast_signed(), nanos).unwrap();
        assert!(first_id(at) < id);
        assert!(first_id(at + chrono::TimeDelta::milliseconds(1)) > id);
        assert_eq!(first_id(chrono::DateTime::UNIX_EPOCH), Uuid::nil());
    }

    #[test]
    fn each_fact_is_compared_with_the_message_at_its_place() {
        let [one, two, three] = [1, 2, 3].map(Uuid::from_u128);
        let mut check = Check::default();
        let held = [(5, Some(one)), (6, Some(three)), (8, Some(three)), (9, None)];
        tally(&[(5, one), (6, two), (7, three)], &held, &mut check);
        assert_eq!((check.missing, check.displaced, check.unknown), (1, 1, 2));
        assert!(check.differs());
    }
}
