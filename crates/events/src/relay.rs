//! Publishes what the outbox holds, in its order, once. One relay leads a stream; the others stand by.

mod lead;
mod state;
mod tail;

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Stream;
use service::{Shell, Store, StoreError, telemetry};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::bus::{Bus, subject};
use crate::halt::{Halt, Point};
use lead::{Lead, Unsent};
use state::States;

/// Starts the relay of `context`, the one whose events are in this service's outbox. Runs until shutdown; every
/// replica starts one.
pub fn relay(shell: &Shell, store: &Store, context: &'static str) {
    let relay = Relay::new(Bus::from(shell), store.clone(), context);
    let stop = shell.tasks.token();
    shell.tasks.spawn("relay", async move { relay.run(stop).await });
}

/// How often and how long a relay waits.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Between looks for rows that another process wrote; those of this process wake it at once.
    pub poll: Duration,
    /// A leader that gave no sign of life for so long is replaced.
    pub idle_timeout: Duration,
    /// For the broker's confirmation of one batch; after it the outcome is unknown and is looked up.
    pub confirmation: Duration,
    /// Published without waiting in between.
    pub batch: u16,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(250),
            idle_timeout: Duration::from_secs(3),
            confirmation: Duration::from_secs(5),
            batch: 256,
        }
    }
}

/// One stream's publisher.
#[derive(Debug)]
pub struct Relay {
    bus: Bus,
    store: Store,
    context: &'static str,
    pace: Pace,
    halt: Option<Halt>,
}

/// Why a term of leadership ended. Each reason is met by taking the lead again and looking what the stream holds.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("another relay has taken the lead")]
    Fenced,
    #[error("the broker: {0}")]
    Broker(String),
}

impl From<sqlx::Error> for Ended {
    fn from(err: sqlx::Error) -> Self {
        Self::Store(err.into())
    }
}

impl Ended {
    fn broker(err: impl std::fmt::Display) -> Self {
        Self::Broker(err.to_string())
    }
}

impl Relay {
    pub fn new(bus: Bus, store: Store, context: &'static str) -> Self {
        Self { bus, store, context, pace: Pace::default(), halt: None }
    }

    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// For tests: holds this relay at a marked point.
    #[must_use]
    pub fn halted(mut self, halt: Halt) -> Self {
        self.halt = Some(halt);
        self
    }

    /// Runs until `stop`. Dropping it is as good as killing it: nothing is lost or sent twice.
    pub async fn run(self, stop: CancellationToken) {
        let mut wait = self.pace.poll;
        let mut since = Instant::now();
        while !stop.is_cancelled() {
            // A batch in flight is not cut off: the next look at the token comes after it was marked.
            match self.term(&stop).await {
                Ok(()) => return,
                Err(Ended::Fenced) => tracing::info!(context = self.context, "another relay leads"),
                Err(err) => {
                    tracing::warn!(context = self.context, error = %err, "relay stopped, starting again");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
            let lasted = since.elapsed() > self.pace.poll * 20;
            wait = if lasted { self.pace.poll } else { (wait * 2).min(self.pace.poll * 8) };
            since = Instant::now();
        }
    }

    /// One term of leadership: from taking the lead to losing it.
    async fn term(&self, stop: &CancellationToken) -> Result<(), Ended> {
        let Some(mut lead) = Lead::take(&self.store, self.context, &self.pace, stop).await? else {
            return Ok(());
        };
        let stream = lead.hold(self.bus.make_stream(self.context)).await?.map_err(Ended::broker)?;
        let mut changed = self.store.changed();
        let mut states = States::open(&self.bus, self.halt.clone(), &mut lead).await?;
        let mut doubt = true;
        while !stop.is_cancelled() {
            if doubt {
                tail::settle(&mut lead, &mut states, &stream).await?;
                doubt = false;
            }
            changed.mark_unchanged();
            let rows = lead.unsent(self.pace.batch).await?;
            if rows.is_empty() {
                tokio::select! {
                    () = tokio::time::sleep(self.pace.poll) => {}
                    // Never closes: the store outlives the relay.
                    _ = changed.changed() => {}
                    () = stop.cancelled() => {}
                }
                continue;
            }
            Halt::pass(self.halt.as_ref(), Point::BeforePublish).await;
            doubt = !self.send(&mut lead, &mut states, &stream, &rows).await?;
        }
        lead.resign().await;
        Ok(())
    }

    /// Publishes `rows` in order and marks those the broker confirmed; `false` when it is not known what the
    /// stream holds now.
    async fn send(
        &self,
        lead: &mut Lead,
        states: &mut States,
        stream: &Stream,
        rows: &[Unsent],
    ) -> Result<bool, Ended> {
        let facts: Vec<&Unsent> = rows.iter().filter(|row| !row.state_only).collect();
        let publishing = self.publish(lead.last_stream_seq, &facts);
        let publishing = tokio::time::timeout(self.pace.confirmation, publishing);
        let Ok(confirmed) = lead.hold(publishing).await? else { return Ok(false) };
        Halt::pass(self.halt.as_ref(), Point::BeforeMark).await;
        let known = confirmed.len() == facts.len();
        let rows = match facts.get(confirmed.len()) {
            None => rows,
            Some(missing) => {
                let stream = &stream.cached_info().config.name;
                tracing::debug!(
                    stream,
                    asked = facts.len(),
                    confirmed = confirmed.len(),
                    "batch in doubt"
                );
                &rows[..rows.partition_point(|row| row.seq < missing.seq)]
            }
        };
        states.publish(lead, rows).await?;
        let told = rows.iter().filter(|row| row.state_only).map(|row| row.seq);
        lead.mark(&confirmed, &told.collect::<Vec<_>>()).await?;
        let sent = u64::try_from(confirmed.len()).unwrap_or_default();
        metrics::counter!("events_published_total", "context" => self.context).increment(sent);
        Ok(known)
    }

    /// Sends all without waiting, then collects the confirmations up to the first that is missing or odd.
    async fn publish(&self, last_stream_seq: u64, rows: &[&Unsent]) -> Vec<(i64, u64)> {
        let mut pending = Vec::with_capacity(rows.len());
        for (row, expected) in rows.iter().zip(last_stream_seq..) {
            let subject = subject(&self.bus.prefix, self.context, &row.name, &row.site);
            let span = tracing::info_span!(
                "publish",
                otel.name = format!("publish {}", row.name),
                otel.kind = "producer",
                messaging.system = "nats",
                messaging.destination.name = subject,
                messaging.message.id = %row.event_id,
            );
            telemetry::set_parent(&span, row.traceparent.as_deref());
            let message = message(row, expected, span.in_scope(telemetry::current_traceparent));
            #[expect(clippy::disallowed_methods, reason = "the relay is the one that publishes")]
            let sending = self.bus.jetstream.send_publish(subject, message);
            let Ok(confirmation) = sending.instrument(span).await else { break };
            pending.push((row.seq, expected + 1, confirmation));
        }
        let mut confirmed = Vec::with_capacity(pending.len());
        for (seq, expected, confirmation) in pending {
            match confirmation.await {
                Ok(ack) if !ack.duplicate && ack.sequence == expected => {
                    confirmed.push((seq, expected));
                }
                // Whatever came after it was refused by its own expectation, or is found in the stream.
                _ => break,
            }
        }
        confirmed
    }
}

/// The stream takes it only as the successor of `expected`, so a relay that lost the lead is refused there.
fn message(row: &Unsent, expected: u64, traceparent: Option<String>) -> PublishMessage {
    let mut headers = HeaderMap::new();
    if let Some(traceparent) = traceparent.or_else(|| row.traceparent.clone()) {
        headers.insert(telemetry::TRACEPARENT, traceparent);
    }
    // `headers` replaces what is there: the message id comes after it.
    PublishMessage::build()
        .payload(row.payload.clone().into())
        .headers(headers)
        .message_id(row.event_id.to_string())
        .expected_last_sequence(expected)
}
