//! To the broker: many rows as one atomic batch, few one after the other without waiting in between.

use std::time::Duration;

use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
    NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_ID,
};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderMap, Request};
use serde::Deserialize;
use service::{faults, telemetry};
use tracing::Instrument;
use types::EventId;

use super::lead::Unsent;
use crate::bus::{Bus, subject};

/// Below, an atomic batch costs more than it saves.
const SMALLEST_BATCH: usize = 100;
/// The broker refuses more in one batch.
const LARGEST_BATCH: usize = 1000;
/// Of one batch; the broker keeps it in memory until it is whole.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Publishes the facts of one term of leadership.
pub(super) struct Outlet<'a> {
    bus: &'a Bus,
    context: &'static str,
    confirmation: Duration,
    /// Whether the broker takes batches, as far as it has said.
    batches: bool,
}

/// What the broker answers to the last message of a batch.
#[derive(Debug, Deserialize)]
struct Answer {
    seq: Option<u64>,
    count: Option<usize>,
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    err_code: ErrorCode,
    #[serde(default)]
    description: String,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(bus: &'a Bus, context: &'static str, confirmation: Duration) -> Self {
        Self { bus, context, confirmation, batches: true }
    }

    /// Publishes rows in order as the successors of `last` and says how many from the first on are confirmed, each at
    /// the place after the one before. What became of the others is unknown: a lost answer, or another publisher. Nobody
    /// answers on a connection that was made anew since, so its confirmations are not waited for.
    pub(super) async fn publish(&mut self, last: u64, rows: &[&Unsent]) -> usize {
        let bus = self.bus;
        let nats = &bus.nats;
        let connects = nats.connects();
        let mut done = 0;
        while done < rows.len() {
            let part = &rows[done..done + batch_size(&rows[done..])];
            let last = last + done as u64;
            let confirmed = if part.len() >= SMALLEST_BATCH && self.batches {
                let span = tracing::info_span!(
                    "publish",
                    otel.name = format!("publish {}", self.context),
                    otel.kind = "producer",
                    messaging.system = "nats",
                    messaging.batch.message_count = part.len(),
                );
                let confirmed = tokio::select! {
                    confirmed = self.batch(last, part).instrument(span) => confirmed,
                    () = nats.renewed(connects) => false,
                };
                if confirmed { part.len() } else { 0 }
            } else {
                tokio::select! {
                    confirmed = self.singles(last, part) => confirmed,
                    () = nats.renewed(connects) => 0,
                    () = tokio::time::sleep(self.confirmation) => 0,
                }
            };
            done += confirmed;
            if confirmed < part.len() {
                tracing::debug!(context = self.context, asked = rows.len(), done, "batch in doubt");
                break;
            }
        }
        done
    }

    /// All or nothing: one write to the disk, and every error in the one answer.
    async fn batch(&mut self, last: u64, rows: &[&Unsent]) -> bool {
        let batch = EventId::new().as_uuid().simple().to_string();
        let count = rows.len();
        for (number, row) in (1_usize..).zip(rows) {
            let mut headers = headers(row, row.traceparent.clone());
            headers.insert(NATS_BATCH_ID, batch.as_str());
            headers.insert(NATS_BATCH_SEQUENCE, number.to_string());
            if number == 1 && !faults::mistake("no-fencing") {
                // A relay that lost the lead is refused by it.
                headers.insert(NATS_EXPECTED_LAST_SEQUENCE, last.to_string());
            }
            let subject = subject(&self.bus.prefix, self.context, &row.name, &row.site);
            let payload = row.payload.clone().into();
            if number < count {
                let sent =
                    self.bus.nats.client().publish_with_headers(subject, headers, payload).await;
                if sent.is_err() {
                    return false;
                }
                continue;
            }
            headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
            let request =
                Request::new().headers(headers).payload(payload).timeout(Some(self.confirmation));
            let Ok(answer) = self.bus.nats.client().send_request(subject, request).await else {
                return false;
            };
            return self.confirmed(&answer.payload, last + count as u64, count);
        }
        false
    }

    fn confirmed(&mut self, answer: &[u8], expected: u64, expected_count: usize) -> bool {
        match serde_json::from_slice(answer) {
            Ok(Answer { seq: Some(seq), count: Some(count), error: None }) => {
                seq == expected && count == expected_count
            }
            Ok(Answer { error: Some(Refusal { err_code, description }), .. }) => {
                // Both are met by looking at what the stream holds; any other is no passing state of the stream.
                self.batches = matches!(
                    err_code,
                    ErrorCode::STREAM_WRONG_LAST_SEQUENCE
                        | ErrorCode::ATOMIC_PUBLISH_CONTAINS_DUPLICATE_MESSAGE
                );
                if !self.batches {
                    tracing::warn!(
                        context = self.context,
                        code = err_code.0,
                        description,
                        "the broker takes no batch, publishing one by one"
                    );
                }
                false
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// Sends all without waiting, then collects the confirmations up to the first that is missing or odd.
    async fn singles(&self, last: u64, rows: &[&Unsent]) -> usize {
        let mut pending = Vec::with_capacity(rows.len());
        let mut before = None;
        for (row, expected) in rows.iter().zip(last..) {
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
            let traceparent = span.in_scope(telemetry::current_traceparent);
            // The stream takes it only as the successor of `expected`, and of the row before it: where somebody else's
            // message took that one's place, this one would fit by its number alone.
            let mut message = PublishMessage::build()
                .payload(row.payload.clone().into())
                .headers(headers(row, traceparent.or_else(|| row.traceparent.clone())));
            if !faults::mistake("no-fencing") {
                message = message.expected_last_sequence(expected);
                if let Some(before) = before.replace(row.event_id) {
                    message = message.expected_last_message_id(before.to_string());
                }
            }
            #[expect(clippy::disallowed_methods, reason = "the relay is the one that publishes")]
            let sending = self.bus.jetstream.send_publish(subject, message);
            let Ok(confirmation) = sending.instrument(span).await else { break };
            pending.push((expected + 1, confirmation));
        }
        let mut confirmed = 0;
        for (expected, confirmation) in pending {
            match confirmation.await {
                Ok(ack) if !ack.duplicate && ack.sequence == expected => confirmed += 1,
                // Whatever came after it was refused by its own expectation, or is found in the stream.
                _ => break,
            }
        }
        confirmed
    }
}

fn headers(row: &Unsent, traceparent: Option<String>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(traceparent) = traceparent {
        headers.insert(telemetry::TRACEPARENT, traceparent);
    }
    headers.insert(NATS_MESSAGE_ID, row.event_id.to_string());
    headers
}

/// How many of the first rows go together.
pub(super) fn batch_size(rows: &[&Unsent]) -> usize {
    let mut bytes = 0;
    let fitting = rows.iter().take(LARGEST_BATCH).take_while(|row| {
        bytes += row.payload.len();
        bytes <= BATCH_BYTES
    });
    fitting.count().max(1)
}
