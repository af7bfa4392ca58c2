//! What becomes of events: taken together, else one by one, so that a poison event is parked alone.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use service::{StoreError, telemetry};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use types::EventId;

use super::take::{Outcome, PANICKED, Refused, take, taken};
use super::{Consumer, Handler};
use crate::delivery::{Delivery, Failure};
use crate::parked::{self, Sent};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// When an event can neither be taken nor parked, though the database is there.
const WAIT_TO_PARK: Duration = Duration::from_secs(30);

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its effect is committed, now or earlier.
    Taken,
    /// To be delivered again after a while.
    Again(Duration),
    /// It waits for a person.
    Parked,
    /// Shutdown came first.
    Untouched,
}

/// Takes a batch in one transaction; `None` where it failed: then each is for [`alone`].
pub(super) async fn together<H: Handler>(
    consumer: &Consumer<H>,
    deliveries: &[Delivery],
    stop: &CancellationToken,
) -> Option<Verdict> {
    let durable = consumer.handler.durable();
    let span = match deliveries {
        [alone] => alone.span(durable),
        _ => joined(durable, deliveries),
    };
    match patiently(consumer, deliveries, stop).instrument(span).await {
        Some(Ok(())) => Some(Verdict::Taken),
        Some(Err(failure)) => {
            if deliveries.len() > 1 {
                count(consumer, "batch_failed", 1);
                let why = kind(&failure);
                tracing::debug!(durable, events = deliveries.len(), why, "taken one by one");
            }
            None
        }
        None => Some(Verdict::Untouched),
    }
}

/// Of how many events it is known how often they failed. With more the count begins anew: they are tried more often.
const MOST_FAILURES: usize = 10_000;

/// How often events failed in this process. A delivery is no failure: it may have ended with its process, or have been
/// given back.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<EventId, usize>>);

impl Failures {
    fn of(&self, event: EventId) -> usize {
        self.lock().get(&event).copied().unwrap_or_default()
    }

    fn note(&self, event: EventId, verdict: Verdict) {
        let mut failures = self.lock();
        match verdict {
            Verdict::Again(_) => {
                if failures.len() >= MOST_FAILURES {
                    failures.clear();
                }
                *failures.entry(event).or_default() += 1;
            }
            Verdict::Taken | Verdict::Parked => {
                failures.remove(&event);
            }
            Verdict::Untouched => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EventId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes one event that was delivered, or says when to try again, or parks it.
pub(super) async fn alone<H: Handler>(
    consumer: &Consumer<H>,
    delivery: &Delivery,
    sent: Sent<'_>,
    stop: &CancellationToken,
) -> Verdict {
    let Consumer { failures, patience, .. } = consumer;
    let after = patience.delays.get(failures.of(delivery.id)).copied();
    let verdict = attempt(consumer, delivery, sent, after, stop).await;
    failures.note(delivery.id, verdict);
    verdict
}

/// Takes one event, or has it tried again `after` a while if there is another attempt, or parks it.
pub(super) async fn attempt<H: Handler>(
    consumer: &Consumer<H>,
    delivery: &Delivery,
    sent: Sent<'_>,
    after: Option<Duration>,
    stop: &CancellationToken,
) -> Verdict {
    let durable = consumer.handler.durable();
    let span = delivery.span(durable);
    async {
        let deliveries = std::slice::from_ref(delivery);
        let failure = match patiently(consumer, deliveries, stop).await {
            Some(Ok(())) => return Verdict::Taken,
            None => return Verdict::Untouched,
            Some(Err(failure)) => failure,
        };
        let why = kind(&failure);
        match failure {
            Failure::Park(error) => park(consumer, sent, why, &error, stop).await,
            Failure::Retry(error) => match after {
                Some(delay) => {
                    count(consumer, "retried", 1);
                    let attempt = delivery.attempt;
                    tracing::warn!(durable, event = %delivery.id, attempt, error, "event is tried again later");
                    Verdict::Again(delay)
                }
                None => park(consumer, sent, why, &error, stop).await,
            },
        }
    }
    .instrument(span)
    .await
}

/// Those whose effect is there already. None while the database is away, which is met when they are taken.
pub(super) async fn repeats<H: Handler>(
    consumer: &Consumer<H>,
    deliveries: &[Delivery],
) -> HashSet<EventId> {
    let durable = consumer.handler.durable();
    match taken(&consumer.store, durable, deliveries).await {
        Ok(taken) => {
            count(consumer, "repeated", taken.len());
            taken
        }
        Err(err) => {
            tracing::debug!(durable, error = %err, "repeats are not known");
            HashSet::new()
        }
    }
}

/// What the log says of a failure. Its words stay with the event: they may quote what was worked on.
fn kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Retry(_) => "failed",
        Failure::Park(words) if words.starts_with(PANICKED) => "panicked",
        Failure::Park(_) => "refused",
    }
}

/// Puts an event aside that cannot be taken. The log says `why`, and where it is put stands the `error`.
pub(super) async fn park<H: Handler>(
    consumer: &Consumer<H>,
    sent: Sent<'_>,
    why: &'static str,
    error: &str,
    stop: &CancellationToken,
) -> Verdict {
    let (durable, context) = (consumer.handler.durable(), consumer.handler.context());
    let mut wait = FIRST_WAIT;
    loop {
        match parked::park(&consumer.store, durable, context, sent, error).await {
            Ok(true) => {
                count(consumer, "parked", 1);
                tracing::error!(
                    durable, event = %sent.id, attempt = sent.attempt, why,
                    "event parked, put it back once its cause is mended"
                );
                return Verdict::Parked;
            }
            Ok(false) => return Verdict::Taken,
            Err(StoreError::Unavailable) => {
                if !pause(&mut wait, stop).await {
                    return Verdict::Untouched;
                }
            }
            Err(err) => {
                tracing::error!(durable, event = %sent.id, error = %err, "event could not be parked");
                return Verdict::Again(WAIT_TO_PARK);
            }
        }
    }
}

/// A database that is away is waited for: that uses up no attempt. `None` when shutdown came first.
async fn patiently<H: Handler>(
    consumer: &Consumer<H>,
    deliveries: &[Delivery],
    stop: &CancellationToken,
) -> Option<Result<(), Failure>> {
    let Consumer { store, handler, halt, .. } = consumer;
    let mut wait = FIRST_WAIT;
    loop {
        let started = Instant::now();
        match take(store, handler, deliveries, halt.as_ref()).await {
            Ok(outcomes) => {
                measure(consumer, &outcomes, started.elapsed());
                return Some(Ok(()));
            }
            Err(Refused::Failed(failure)) => return Some(Err(failure)),
            Err(Refused::Unavailable) => {
                tracing::debug!(durable = handler.durable(), "waiting for the database");
                if !pause(&mut wait, stop).await {
                    return None;
                }
            }
        }
    }
}

/// `false` when shutdown came first.
async fn pause(wait: &mut Duration, stop: &CancellationToken) -> bool {
    let waited = *wait;
    *wait = (waited * 2).min(LONGEST_WAIT);
    stop.run_until_cancelled(tokio::time::sleep(waited)).await.is_some()
}

/// The span of a batch, linked to the trace of each of its events.
fn joined(durable: &str, deliveries: &[Delivery]) -> tracing::Span {
    let span = tracing::info_span!(
        "process batch",
        otel.name = format!("process {durable}"),
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.operation.type = "process",
        messaging.consumer.group.name = durable,
        messaging.batch.message_count = deliveries.len(),
    );
    for delivery in deliveries {
        telemetry::link(&span, delivery.traceparent.as_deref());
    }
    span
}

fn measure<H: Handler>(consumer: &Consumer<H>, outcomes: &[Outcome], took: Duration) {
    let labels = labels(consumer);
    let handled = outcomes.iter().filter(|outcome| **outcome == Outcome::Handled).count();
    count(consumer, "handled", handled);
    count(consumer, "repeated", outcomes.len() - handled);
    let size = u32::try_from(outcomes.len()).unwrap_or(u32::MAX);
    metrics::histogram!("events_batch_size", &labels).record(f64::from(size));
    metrics::histogram!("events_batch_duration_seconds", &labels).record(took.as_secs_f64());
}

/// A consumer of several contexts has one name and one place in each.
pub(super) fn labels<H: Handler>(consumer: &Consumer<H>) -> [(&'static str, &'static str); 2] {
    [("consumer", consumer.handler.durable()), ("context", consumer.handler.context())]
}

fn count<H: Handler>(consumer: &Consumer<H>, outcome: &'static str, events: usize) {
    let Consumer { handler, .. } = consumer;
    let labels =
        [("consumer", handler.durable()), ("context", handler.context()), ("outcome", outcome)];
    let events = u64::try_from(events).unwrap_or(u64::MAX);
    metrics::counter!("events_consumed_total", &labels).increment(events);
}
