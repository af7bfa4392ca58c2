//! A consumer that is new, or whose schema was wiped, reads how things stand before it follows what happens.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind, Stream};
use async_nats::jetstream::{ErrorCode, Message};
use futures::StreamExt;
use service::{Scope, Store, StoreError};
use sqlx::{Connection, PgConnection};
use types::{EventId, SystemClock};
use uuid::Uuid;

use super::take::{Sent, deliver, park};
use super::{Consumer, Handler};
use crate::bus::stream_name;
use crate::delivery::{Delivery, Failure};
use crate::halt::{Halt, Point};
use crate::states::{COMPLETE_ID, COMPLETE_KIND, state_stream_name, state_subject};

/// Of the session that keeps other replicas waiting: a process that stops is replaced after so long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(8);
/// Fetched at once.
const BATCH: usize = 256;
/// How long one fetch waits for messages that are there.
const FETCH: Duration = Duration::from_secs(2);

/// Reads the states of what the handler follows, once in the life of its schema; does nothing afterwards. Whatever
/// ends it early, the next call begins again, and the inbox makes that harmless.
///
/// # Errors
/// As long as the owner has not told everything, another replica reads, or broker or database are away.
pub(super) async fn prime<H: Handler>(consumer: &Consumer<H>) -> Result<(), async_nats::Error> {
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
    if let Some(states) = states {
        read = turn.hold(read_all(consumer, &states)).await??;
    }
    Halt::pass(halt.as_ref(), Point::BeforePrimed).await;
    remember(store, handler).await?;
    tracing::info!(durable, context, read, "knows how things stand and follows what happens");
    Ok(turn.conn.close().await?)
}

fn is_missing(err: &ConsumerError) -> bool {
    matches!(err.kind(), ConsumerErrorKind::JetStream(err) if err.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}

/// The stream of the owner's states, once it holds all of them.
async fn complete<H: Handler>(consumer: &Consumer<H>) -> Result<Stream, async_nats::Error> {
    let (bus, context) = (&consumer.bus, consumer.handler.context());
    let stream = bus.jetstream.get_stream(state_stream_name(&bus.prefix, context)).await?;
    let mark = state_subject(&bus.prefix, context, COMPLETE_KIND, COMPLETE_ID);
    stream.get_last_raw_message_by_subject(&mark).await?;
    Ok(stream)
}

/// Takes in every state that is in the stream now, and says how many.
async fn read_all<H: Handler>(
    consumer: &Consumer<H>,
    stream: &Stream,
) -> Result<u64, async_nats::Error> {
    let (bus, handler) = (&consumer.bus, &consumer.handler);
    let of_kind = |kind| format!("{}>", state_subject(&bus.prefix, handler.context(), kind, ""));
    let config = Config {
        filter_subjects: handler.states().iter().map(|kind| of_kind(kind)).collect(),
        ack_policy: AckPolicy::None,
        inactive_threshold: IDLE_TIMEOUT,
        ..Config::default()
    };
    let last = stream.get_info().await?.state.last_sequence;
    let pull: PullConsumer = stream.create_consumer(config).await?;
    let mut left = pull.cached_info().num_pending;
    let mut read = 0;
    while left > 0 {
        let mut messages = pull.fetch().max_messages(BATCH).expires(FETCH).messages().await?;
        let before = read;
        while let Some(message) = messages.next().await {
            let message = message?;
            let info = message.info()?;
            // Nothing is acknowledged, so what was lost on its way does not come again.
            if info.consumer_sequence != read + 1 {
                return Err("a state was lost on its way".into());
            }
            (read, left) = (read + 1, info.pending);
            // What changed since the reading began is told by its fact as well.
            if info.stream_sequence >= last {
                left = 0;
            }
            take(consumer, &message).await?;
        }
        if read == before {
            return Err("the states stopped coming".into());
        }
    }
    Ok(read)
}

/// Takes in one state as its fact would be: a failure is tried again here, and parked in the end.
async fn take<H: Handler>(
    consumer: &Consumer<H>,
    message: &Message,
) -> Result<(), async_nats::Error> {
    let Consumer { store, handler, patience, .. } = consumer;
    let durable = handler.durable();
    let mut attempt = 1;
    let (id, error) = loop {
        let delivery = match Delivery::read(&message.payload, attempt) {
            Ok(delivery) => delivery,
            Err(problem) => {
                let place = message.info()?.stream_sequence;
                let id = EventId::from_uuid(Uuid::from_u128(place.into()));
                break (id, format!("the envelope cannot be read: {problem}"));
            }
        };
        match deliver(store, handler, &delivery).await {
            Ok(_) => return Ok(()),
            Err(Failure::Park(error)) => break (delivery.id, error),
            Err(Failure::Retry(error)) => {
                let Some(delay) = patience.after(attempt) else { break (delivery.id, error) };
                tracing::warn!(durable, event = %delivery.id, attempt, error, "state is tried again later");
                tokio::time::sleep(delay).await;
                attempt += 1;
            }
        }
    };
    tracing::error!(durable, event = %id, attempt, error, "state parked, put it back once its cause is mended");
    let (subject, payload) = (message.subject.as_str(), message.payload.as_ref());
    let sent = Sent { id, subject, payload, traceparent: None, attempt };
    Ok(park(store, durable, sent, &error).await?)
}

async fn is_primed<H: Handler>(store: &Store, handler: &H) -> Result<bool, StoreError> {
    let mut tx = store.begin(Scope::System("look whether a consumer is new")).await?;
    let primed = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM consumers WHERE consumer = $1 AND context = $2 AND kinds @> $3)",
    )
    .bind(handler.durable())
    .bind(handler.context())
    .bind(handler.states())
    .fetch_one(&mut *tx)
    .await?;
    Ok(primed)
}

async fn remember<H: Handler>(store: &Store, handler: &H) -> Result<(), StoreError> {
    let mut tx = store.begin(Scope::System("a consumer knows how things stand")).await?;
    sqlx::query(
        "INSERT INTO consumers (consumer, context, kinds, primed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (consumer, context) DO UPDATE SET kinds = excluded.kinds, primed_at = excluded.primed_at",
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
    conn: PgConnection,
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
