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

/// Below, an atomic batch costs more than it saves, where one server holds the stream: a batch takes as long as a dozen
/// singles, each of which is synchronised by itself (`docs/adr/0014`).
const SMALLEST_BATCH: usize = 16;
/// Between servers each single waits for the one before it, so two are worth a batch.
const SMALLEST_REPLICATED: usize = 2;
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

/// What became of a batch.
enum Batch {
    Stored,
    /// It may be in the stream, or not.
    Unknown,
    /// Nothing of it is stored.
    Refused,
}

/// What the broker means by refusing a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The stream is not what it was taken for, and is looked at.
    Elsewhere,
    /// It takes no batches, or none like these.
    Never,
    /// It could not take this one.
    NotNow,
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
        let connects = self.bus.nats.connects();
        let mut done = 0;
        while done < rows.len() {
            let part = &rows[done..done + batch_size(&rows[done..])];
            let confirmed = self.part(last + done as u64, part, connects).await;
            done += confirmed;
            if confirmed < part.len() {
                tracing::debug!(context = self.context, asked = rows.len(), done, "batch in doubt");
                break;
            }
        }
        done
    }

    /// What fits into one batch: as one, or one by one where it is small or was refused.
    async fn part(&mut self, last: u64, rows: &[&Unsent], connects: u64) -> usize {
        let Self { bus, confirmation, .. } = *self;
        let smallest = if bus.replicas > 1 { SMALLEST_REPLICATED } else { SMALLEST_BATCH };
        if self.batches && rows.len() >= smallest {
            let span = tracing::info_span!(
                "publish",
                otel.name = format!("publish {}", self.context),
                otel.kind = "producer",
                messaging.system = "nats",
                messaging.batch.message_count = rows.len(),
            );
            let batch = tokio::select! {
                batch = self.batch(last, rows).instrument(span) => batch,
                () = bus.nats.renewed(connects) => Batch::Unknown,
                () = tokio::time::sleep(confirmation) => Batch::Unknown,
            };
            match batch {
                Batch::Stored => return rows.len(),
                Batch::Unknown => return 0,
                Batch::Refused => {}
            }
        }
        // Alone, none has to name the one before it.
        let at_once = if bus.replicas > 1 { 1 } else { rows.len() };
        let mut done = 0;
        for few in rows.chunks(at_once) {
            let confirmed = tokio::select! {
                confirmed = self.singles(last + done as u64, few) => confirmed,
                () = bus.nats.renewed(connects) => 0,
                () = tokio::time::sleep(confirmation) => 0,
            };
            done += confirmed;
            if confirmed < few.len() {
                break;
            }
        }
        done
    }

    /// All or nothing: one write to the disk, and every error in the one answer.
    async fn batch(&mut self, last: u64, rows: &[&Unsent]) -> Batch {
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
                    return Batch::Unknown;
                }
                continue;
            }
            headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
            let request =
                Request::new().headers(headers).payload(payload).timeout(Some(self.confirmation));
            let Ok(answer) = self.bus.nats.client().send_request(subject, request).await else {
                return Batch::Unknown;
            };
            return self.answered(&answer.payload, last + count as u64, count);
        }
        Batch::Unknown
    }

    fn answered(&mut self, answer: &[u8], expected: u64, expected_count: usize) -> Batch {
        match serde_json::from_slice(answer) {
            Ok(Answer { seq: Some(seq), count: Some(count), error: None })
                if seq == expected && count == expected_count =>
            {
                Batch::Stored
            }
            Ok(Answer { error: Some(Refusal { err_code, description }), .. }) => {
                let meaning = meaning(err_code);
                if meaning == Meaning::Elsewhere {
                    return Batch::Unknown;
                }
                self.batches = meaning == Meaning::NotNow;
                tracing::warn!(
                    context = self.context,
                    code = err_code.0,
                    description,
                    batches = self.batches,
                    "the broker took no batch, publishing one by one"
                );
                Batch::Refused
            }
            Ok(_) | Err(_) => Batch::Unknown,
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
            // message took that one's place, this one would fit by its number alone. Never between servers: each of them
            // compares the id with the last one it applied itself, of which one that caught up knows nothing.
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

fn meaning(refusal: ErrorCode) -> Meaning {
    match refusal {
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE
        | ErrorCode::ATOMIC_PUBLISH_CONTAINS_DUPLICATE_MESSAGE => Meaning::Elsewhere,
        ErrorCode::ATOMIC_PUBLISH_DISABLED
        | ErrorCode::ATOMIC_PUBLISH_MISSING_SEQ
        | ErrorCode::ATOMIC_PUBLISH_UNSUPPORTED_HEADER
        | ErrorCode::ATOMIC_PUBLISH_INVALID_BATCH_ID
        | ErrorCode::ATOMIC_PUBLISH_INVALID_BATCH_COMMIT
        | ErrorCode::ATOMIC_PUBLISH_TOO_LARGE_BATCH => Meaning::Never,
        _ => Meaning::NotNow,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_nats::ConnectOptions;
    use async_nats::header::{NATS_BATCH_ID, NATS_EXPECTED_LAST_MESSAGE_ID};
    use async_nats::jetstream::ErrorCode;
    use types::{EventId, SystemClock};

    use super::{Meaning, Outlet, meaning};
    use crate::bus::Bus;
    use crate::relay::lead::Unsent;

    fn row(seq: i64) -> Unsent {
        Unsent {
            seq,
            event_id: EventId::new().as_uuid(),
            name: "TrainingStarted".to_owned(),
            site: "-".to_owned(),
            payload: vec![1],
            traceparent: None,
            created_at: SystemClock::system().now(),
            stream_seq: None,
            state_kind: None,
            state_id: None,
            state_ends: false,
            state_only: false,
        }
    }

    #[test]
    fn only_a_broker_that_takes_no_batches_is_sent_no_more_of_them() {
        for code in [10_174, 10_177, 10_199] {
            assert_eq!(meaning(ErrorCode(code)), Meaning::Never, "{code}");
        }
        // Short of memory, a part lost on its way, too many open; and what a later broker may say.
        for code in [10_023, 10_047, 10_176, 10_210, 10_211, 19_999] {
            assert_eq!(meaning(ErrorCode(code)), Meaning::NotNow, "{code}");
        }
        for code in [10_071, 10_201] {
            assert_eq!(meaning(ErrorCode(code)), Meaning::Elsewhere, "{code}");
        }
    }

    #[tokio::test]
    async fn between_servers_nothing_is_compared_with_what_one_of_them_remembers() {
        let nats = test_support::Nats::connect().await;
        let connection = service::Nats::connect(ConnectOptions::new(), nats.url()).await.unwrap();
        let bus = Bus::new(connection, nats.prefix.clone());
        let stream = bus.make_stream("training", Duration::from_hours(1), 1).await.unwrap();
        let bus = bus.with_replicas(3);
        let mut outlet = Outlet::new(&bus, "training", Duration::from_secs(5));
        let rows: Vec<Unsent> = (1..=6).map(row).collect();
        let rows: Vec<&Unsent> = rows.iter().collect();
        assert_eq!(outlet.publish(0, &rows[..3]).await, 3);
        outlet.batches = false;
        assert_eq!(outlet.publish(3, &rows[3..]).await, 3);
        for place in 1..=6 {
            let headers = stream.get_raw_message(place).await.unwrap().headers;
            assert!(headers.get(NATS_EXPECTED_LAST_MESSAGE_ID).is_none(), "{place}");
            assert_eq!(headers.get(NATS_BATCH_ID).is_some(), place <= 3, "{place}");
        }
    }
}
