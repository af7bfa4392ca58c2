//! A consumer that is new, whose schema was wiped, or that was away for longer than facts are kept, reads how things stand
//! before it follows what happens.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind, Stream};
use async_nats::jetstream::{ErrorCode, Message};
use futures::StreamExt;
use service::{Conn, Scope, Store, StoreError};
use tokio_util::sync::CancellationToken;
use types::{EventId, SystemClock};
use uuid::Uuid;

use super::settle::{self, Verdict, park, together};
use super::{Consumer, Handler};
use crate::bus::stream_name;
use crate::delivery::Delivery;
use crate::halt::{Halt, Point};
use crate::parked::Sent;
use crate::relay::Retention;
use crate::states::{COMPLETE_ID, COMPLETE_KIND, state_stream_name, state_subject};

/// Of the session that keeps other replicas waiting: a process that stops is replaced after so long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(8);
/// The broker takes a reader away that asks for nothing so long: what was fetched at once is taken within it.
const READER_STAYS: Duration = Duration::from_mins(2);
/// Fetched at once.
const BATCH: usize = 256;
/// Nothing is followed before all states are read, so no further attempt at one is waited for longer.
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// States that failed wait in memory until the others are read; when there are so many, more are parked at once.
const MOST_ASIDE: usize = 256;
/// How long one fetch waits for messages that are there.
const FETCH: Duration = Duration::from_secs(2);

/// A state and the message it came in.
type Read = (Delivery, Message);

/// Reads the states of what the handler follows, once in the life of its schema; does nothing afterwards, unless it was
/// away for too long. Whatever ends it early, the next call begins again, and the inbox makes that harmless.
///
/// # Errors
/// As long as the owner has not told everything, another replica reads, or broker or database are away.
pub(super) async fn prime<H: Handler>(
    consumer: &Consumer<H>,
    stop: &CancellationToken,
) -> Result<(), async_nats::Error> {
    let Consumer { bus, store, handler, halt, .. } = consumer;
    let (durable, context) = (handler.durable(), handler.context());
    if is_primed(store, handler).await? {
        return Ok(());
    }
    let mut turn = Turn::take(store, durable, context).await?;
    if is_primed(store, handler).await? {
        return Ok(());
    }
    let facts = turn.hold(bus.jetstream.get_stream(stream_name(&bus.prefix, context))).await??;
    let states = if handler.states().is_empty() {
        None
    } else {
        Some(turn.hold(complete(consumer)).await??)
    };
    if handler.replays() {
        // Made anew when it is followed, from the first fact there is.
        let deleted = turn.hold(facts.delete_consumer(durable)).await?;
        deleted.map(drop).or_else(|err| if is_missing(&err) { Ok(()) } else { Err(err) })?;
    }
    let mut read = 0;
    if let Some((stream, mark)) = states {
        read = turn.hold(read_all(consumer, &stream, stop)).await??;
        Halt::pass(halt.as_ref(), Point::BeforePrimed).await;
        // A stream that lost states is emptied and told again, with a new mark behind them: what was read may be a part.
        if turn.hold(told_at(consumer, &stream)).await?? != mark {
            return Err("the states were told anew".into());
        }
    }
    remember(store, handler).await?;
    tracing::info!(durable, context, read, "knows how things stand and follows what happens");
    Ok(turn.conn.close().await?)
}

fn is_missing(err: &ConsumerError) -> bool {
    matches!(err.kind(), ConsumerErrorKind::JetStream(err) if err.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}

/// The stream of the owner's states, once it holds all of them, and where that was told.
async fn complete<H: Handler>(consumer: &Consumer<H>) -> Result<(Stream, u64), async_nats::Error> {
    let (bus, context) = (&consumer.bus, consumer.handler.context());
    let stream = bus.jetstream.get_stream(state_stream_name(&bus.prefix, context)).await?;
    let mark = told_at(consumer, &stream).await?;
    Ok((stream, mark))
}

/// The place of the owner's word that everything alive was told.
async fn told_at<H: Handler>(
    consumer: &Consumer<H>,
    stream: &Stream,
) -> Result<u64, async_nats::Error> {
    let (bus, context) = (&consumer.bus, consumer.handler.context());
    let mark = state_subject(&bus.prefix, context, COMPLETE_KIND, COMPLETE_ID);
    Ok(stream.get_last_raw_message_by_subject(&mark).await?.sequence)
}

/// Takes in or parks every state until none follows, and says how many. Not only those that were there when it began:
/// an owner that tells everything again moves each behind them, and no fact tells of that. One that fails holds up no
/// other: it comes again when all are read.
async fn read_all<H: Handler>(
    consumer: &Consumer<H>,
    stream: &Stream,
    stop: &CancellationToken,
) -> Result<u64, async_nats::Error> {
    let Consumer { bus, handler, halt, .. } = consumer;
    let of_kind = |kind| format!("{}>", state_subject(&bus.prefix, handler.context(), kind, ""));
    let config = Config {
        filter_subjects: handler.states().iter().map(|kind| of_kind(kind)).collect(),
        ack_policy: AckPolicy::None,
        inactive_threshold: READER_STAYS,
        ..Config::default()
    };
    let pull: PullConsumer = stream.create_consumer(config).await?;
    let mut left = pull.cached_info().num_pending;
    Halt::pass(halt.as_ref(), Point::BeforeStatesRead).await;
    let (mut read, mut failed) = (0, Vec::new());
    while left > 0 {
        let mut messages = pull.fetch().max_messages(BATCH).expires(FETCH).messages().await?;
        let mut states = Vec::new();
        while let Some(message) = messages.next().await {
            let message = message?;
            let info = message.info()?;
            // Nothing is acknowledged, so what was lost on its way does not come again.
            if info.consumer_sequence != read + 1 {
                return Err("a state was lost on its way".into());
            }
            (read, left) = (read + 1, info.pending);
            states.push(message);
        }
        if states.is_empty() {
            return Err("the states stopped coming".into());
        }
        take(consumer, states, &mut failed, stop).await?;
    }
    again(consumer, failed, stop).await?;
    Ok(read)
}

/// Takes states in as their facts would be: in batches, and one by one where a batch fails.
async fn take<H: Handler>(
    consumer: &Consumer<H>,
    states: Vec<Message>,
    failed: &mut Vec<Read>,
    stop: &CancellationToken,
) -> Result<(), async_nats::Error> {
    let mut readable = Vec::new();
    for message in states {
        match Delivery::read(&message.payload, 1) {
            Ok(delivery) => readable.push((delivery, message)),
            Err(problem) => {
                let place = message.info()?.stream_sequence;
                let id = EventId::from_uuid(Uuid::from_u128(place.into()));
                let error = format!("the envelope cannot be read: {problem}");
                let parked =
                    park(consumer, sent(id, &message, 1), "unreadable", &error, stop).await;
                if !matches!(parked, Verdict::Parked | Verdict::Taken) {
                    return Err("a state could not be parked".into());
                }
            }
        }
    }
    // Never those of a site with those of none.
    for alike in readable.chunk_by(|(one, _), (next, _)| one.site.is_some() == next.site.is_some())
    {
        for batch in alike.chunks(consumer.handler.batch().max(1)) {
            let deliveries: Vec<Delivery> =
                batch.iter().map(|(delivery, _)| delivery.clone()).collect();
            if together(consumer, &deliveries, stop).await == Some(Verdict::Taken) {
                continue;
            }
            for read in batch {
                attempt(consumer, read.clone(), failed, stop).await?;
            }
        }
    }
    Ok(())
}

/// Tries one state. Where it may be tried once more it is put to those that `failed`.
async fn attempt<H: Handler>(
    consumer: &Consumer<H>,
    (mut delivery, message): Read,
    failed: &mut Vec<Read>,
    stop: &CancellationToken,
) -> Result<(), async_nats::Error> {
    let delays = if failed.len() < MOST_ASIDE { delays(consumer) } else { &[] };
    let before = usize::try_from(delivery.attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    let sent = sent(delivery.id, &message, delivery.attempt);
    match settle::attempt(consumer, &delivery, sent, delays.get(before).copied(), stop).await {
        Verdict::Taken | Verdict::Parked => {}
        Verdict::Untouched => return Err("shutdown came first".into()),
        Verdict::Again(_) => {
            delivery.attempt += 1;
            failed.push((delivery, message));
        }
    }
    Ok(())
}

/// Tries states that failed until each is taken or parked.
async fn again<H: Handler>(
    consumer: &Consumer<H>,
    mut failed: Vec<Read>,
    stop: &CancellationToken,
) -> Result<(), async_nats::Error> {
    for delay in delays(consumer) {
        if failed.is_empty() {
            break;
        }
        if stop.run_until_cancelled(tokio::time::sleep(*delay)).await.is_none() {
            return Err("shutdown came first".into());
        }
        for read in std::mem::take(&mut failed) {
            attempt(consumer, read, &mut failed, stop).await?;
        }
    }
    if failed.is_empty() { Ok(()) } else { Err("a state could neither be taken nor parked".into()) }
}

/// The waits before a state's further attempts.
fn delays<H: Handler>(consumer: &Consumer<H>) -> &[Duration] {
    let delays = &consumer.patience.delays;
    let brief = delays.iter().take_while(|delay| **delay <= LONGEST_DELAY).count();
    &delays[..brief]
}

fn sent(id: EventId, message: &Message, attempt: u32) -> Sent<'_> {
    let (subject, payload) = (message.subject.as_str(), message.payload.as_ref());
    Sent { id, subject, payload, traceparent: None, attempt }
}

async fn is_primed<H: Handler>(store: &Store, handler: &H) -> Result<bool, StoreError> {
    let mut tx = store.begin(Scope::System("look whether a consumer is new")).await?;
    let primed = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM consumers
                        WHERE consumer = $1 AND context = $2 AND kinds @> $3 AND seen_at > $4)",
    )
    .bind(handler.durable())
    .bind(handler.context())
    .bind(handler.states())
    .bind(SystemClock::system().now() - Retention::default().stream)
    .fetch_one(&mut *tx)
    .await?;
    Ok(primed)
}

async fn remember<H: Handler>(store: &Store, handler: &H) -> Result<(), StoreError> {
    let mut tx = store.begin(Scope::System("a consumer knows how things stand")).await?;
    sqlx::query(
        "INSERT INTO consumers (consumer, context, kinds, primed_at, seen_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (consumer, context) DO UPDATE
         SET kinds = excluded.kinds, primed_at = excluded.primed_at, seen_at = excluded.seen_at",
    )
    .bind(handler.durable())
    .bind(handler.context())
    .bind(handler.states())
    .bind(SystemClock::system().now())
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// One replica reads; the others wait until it has or is gone.
struct Turn {
    conn: Conn,
}

impl Turn {
    async fn take(store: &Store, durable: &str, context: &str) -> Result<Self, async_nats::Error> {
        let mut conn = store.session(IDLE_TIMEOUT).await?;
        let name = format!("prime {durable} {context}");
        let locked: bool = sqlx::query_scalar(
            "SELECT pg_try_advisory_lock(hashtextextended(current_schema() || ' ' || $1, 0))",
        )
        .bind(name)
        .fetch_one(&mut conn)
        .await?;
        if locked { Ok(Self { conn }) } else { Err("another replica reads the states".into()) }
    }

    /// Gives signs of life while something else is awaited.
    async fn hold<F: Future>(&mut self, future: F) -> Result<F::Output, sqlx::Error> {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                output = &mut future => return Ok(output),
                () = tokio::time::sleep(IDLE_TIMEOUT / 4) => {
                    sqlx::query("SELECT 1").execute(&mut self.conn).await?;
                }
            }
        }
    }
}
