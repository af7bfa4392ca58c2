//! Beside the loop: looks whether events come, says how far behind the consumer is, and takes parked events back.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{Info, PullConsumer};
use async_nats::jetstream::stream::Stream;
use service::{Scope, StoreError};
use tokio_util::sync::CancellationToken;
use types::SystemClock;

use super::settle::labels;
use super::{Consumer, Handler, durable};
use crate::{alert, parked};

/// Between notes that a consumer follows: facts are kept for days.
const SEEN_EVERY: Duration = Duration::from_hours(1);

/// What the loop tells of itself.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Messages delivered so far.
    pub(super) received: AtomicU64,
    /// Messages in hand now.
    pub(super) held: AtomicUsize,
}

/// Returns once nothing came for longer than the acknowledgement wait though events wait. May be dropped at any time.
/// Once events come, or none wait, an alert that stands is over, whichever process told it.
pub(super) async fn watch<H: Handler>(
    consumer: &Consumer<H>,
    stream: &Stream,
    pull: &PullConsumer,
    pulse: &Pulse,
) {
    let (mut seen, mut flows) = (None::<Instant>, false);
    let mut idle = tokio::time::interval(consumer.patience.idle);
    let (mut received, mut since) = (pulse.received.load(Ordering::Relaxed), Instant::now());
    loop {
        idle.tick().await;
        // A broker that does not answer is met by the loop, which hears nothing of it.
        let Ok(info) = pull.get_info().await else { continue };
        tell(consumer, stream, &info).await;
        let now = pulse.received.load(Ordering::Relaxed);
        if seen.is_none_or(|seen| seen.elapsed() > SEEN_EVERY) && note_seen(consumer).await {
            seen = Some(Instant::now());
        }
        if !flows && (now > 0 || info.num_pending == 0) {
            flows = tell_stuck(consumer, None).await;
        }
        if now != received || !withheld(&info) || pulse.held.load(Ordering::Relaxed) > 0 {
            (received, since) = (now, Instant::now());
        } else if since.elapsed() > consumer.patience.ack_wait {
            return;
        }
    }
}

/// Whether the broker has events that it could deliver.
fn withheld(info: &Info) -> bool {
    let room = usize::try_from(info.config.max_ack_pending).unwrap_or(usize::MAX);
    info.num_pending > 0 && info.num_ack_pending < room
}

async fn tell<H: Handler>(consumer: &Consumer<H>, stream: &Stream, info: &Info) {
    let labels = labels(consumer);
    let lag = info.num_pending + info.num_ack_pending as u64;
    let gauge = u32::try_from(lag).unwrap_or(u32::MAX);
    metrics::gauge!("events_consumer_lag", &labels).set(f64::from(gauge));
    let age = if lag == 0 { 0.0 } else { oldest(consumer, stream, info).await };
    metrics::gauge!("events_consumer_age_seconds", &labels).set(age);
}

/// The age in seconds of the oldest event that is not acknowledged.
async fn oldest<H: Handler>(consumer: &Consumer<H>, stream: &Stream, info: &Info) -> f64 {
    let mut subjects = durable::filter(consumer);
    if subjects.is_empty() {
        subjects.push(">".to_owned());
    }
    let mut oldest = None;
    for subject in subjects {
        let behind = info.ack_floor.stream_sequence + 1;
        let found = stream.get_first_raw_message_by_subject(&subject, behind).await;
        // Of an event there is none, or the broker went away: then the next look tells.
        let Ok(message) = found else { continue };
        let at = message.time.unix_timestamp();
        oldest = oldest.min(Some(at)).or(Some(at));
    }
    let age = oldest.map_or(0, |at| SystemClock::system().now().timestamp() - at);
    f64::from(u32::try_from(age).unwrap_or_default())
}

/// Notes that the consumer follows; whether it could.
async fn note_seen<H: Handler>(consumer: &Consumer<H>) -> bool {
    let Consumer { store, handler, .. } = consumer;
    let noted: Result<(), StoreError> = async {
        let mut tx = store.begin(Scope::System("a consumer follows")).await?;
        sqlx::query("UPDATE consumers SET seen_at = $3 WHERE consumer = $1 AND context = $2")
            .bind(handler.durable())
            .bind(handler.context())
            .bind(SystemClock::system().now())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
    .await;
    if let Err(err) = &noted {
        tracing::debug!(error = %err, "it could not be noted that a consumer follows");
    }
    noted.is_ok()
}

/// Tells in which way the consumer is stuck; or, with `None`, that it is not, if somebody was told that it is. Whether it
/// could.
pub(super) async fn tell_stuck<H: Handler>(consumer: &Consumer<H>, how: Option<&str>) -> bool {
    let Consumer { store, handler, .. } = consumer;
    let about = format!("{} of {}", handler.durable(), handler.context());
    let told: Result<(), StoreError> = async {
        let mut tx = store.begin(Scope::System("tell of a stuck consumer")).await?;
        // One that never followed is noted too, and stays as new as it is.
        let noted = if how.is_some() {
            "INSERT INTO consumers (consumer, context, kinds, primed_at, seen_at, stuck_told)
             VALUES ($1, $2, '{}', '-infinity', '-infinity', true)
             ON CONFLICT (consumer, context) DO UPDATE SET stuck_told = true WHERE NOT consumers.stuck_told"
        } else {
            "UPDATE consumers SET stuck_told = false WHERE consumer = $1 AND context = $2 AND stuck_told"
        };
        let noting = sqlx::query(noted).bind(handler.durable()).bind(handler.context());
        let changed = noting.execute(&mut *tx).await?;
        if changed.rows_affected() == 0 {
            return Ok(());
        }
        let (context, kind) = (parked::context(store), alert::Kind::ConsumerStuck);
        match how {
            Some(detail) => alert::raise(&mut tx, &context, kind, &about, detail).await?,
            None => alert::clear(&mut tx, &context, kind, &about).await?,
        };
        tx.commit().await
    }
    .await;
    if let Err(err) = &told {
        tracing::error!(about, how, error = %err, "an alert could not be told");
    }
    told.is_ok()
}

/// Takes back what was asked back from the parking place, whether or not the broker is there, until `stop`.
pub(super) async fn resume<H: Handler>(consumer: &Consumer<H>, stop: &CancellationToken) {
    let mut idle = tokio::time::interval(consumer.patience.idle);
    while stop.run_until_cancelled(idle.tick()).await.is_some() {
        if let Err(err) = take_back(consumer, stop).await {
            tracing::debug!(error = %err, "parked events could not be looked for");
        }
    }
}

async fn take_back<H: Handler>(
    consumer: &Consumer<H>,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let Consumer { store, handler, .. } = consumer;
    let look = || parked::waiting(store, handler.durable(), handler.context());
    let (mut count, asked) = look().await?;
    if asked {
        while !stop.is_cancelled() && parked::resume(store, handler).await {}
        (count, _) = look().await?;
    }
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    metrics::gauge!("events_parked", &labels(consumer)).set(f64::from(count));
    Ok(())
}
