//! What was delivered and is not answered yet: lanes of events in their order, each with at most one batch at work.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::{AckKind, Message};
use service::telemetry;
use types::EventId;
use uuid::Uuid;

use super::settle::Verdict;
use crate::delivery::Delivery;
use crate::outbox::MAX_EVENT_BYTES;
use crate::parked::Sent;

/// What is given back goes to another replica at once, or to the next start.
const GIVEN_BACK: Duration = Duration::from_millis(10);

/// A message until it is answered.
#[derive(Debug)]
pub(super) struct Held {
    message: Message,
    /// Its id, or one made for what has no readable one.
    id: EventId,
    attempt: u32,
    answered: AtomicBool,
}

/// Messages of one lane that are worked on together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) held: Vec<Held>,
    /// What the messages say; or why the only one cannot be read.
    pub(super) deliveries: Result<Vec<Delivery>, String>,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<(Held, Result<Delivery, String>)>,
    working: Option<Arc<Batch>>,
}

#[derive(Debug)]
pub(super) struct Hand {
    lanes: Vec<Lane>,
    len: usize,
}

impl Held {
    pub(super) fn sent(&self) -> Sent<'_> {
        Sent {
            id: self.id,
            subject: &self.message.subject,
            payload: &self.message.payload,
            traceparent: header(self.message.headers.as_ref(), telemetry::TRACEPARENT),
            attempt: self.attempt,
        }
    }

    /// Tells the broker, without waiting for it: a lost answer means another delivery, which the inbox knows.
    pub(super) async fn answer(&self, verdict: Verdict) {
        self.answered.store(true, Ordering::Relaxed);
        let told = match verdict {
            Verdict::Taken => self.message.ack().await,
            Verdict::Again(delay) => self.message.ack_with(AckKind::Nak(Some(delay))).await,
            Verdict::Parked => self.message.ack_with(AckKind::Term).await,
            Verdict::Untouched => self.message.ack_with(AckKind::Nak(Some(GIVEN_BACK))).await,
        };
        if let Err(err) = told {
            tracing::debug!(event = %self.id, error = %err, "delivery was not answered");
        }
    }

    async fn sign(&self) {
        // An answer that is a delay would be taken back by a sign of life after it.
        if self.answered.load(Ordering::Relaxed) {
            return;
        }
        if let Err(err) = self.message.ack_with(AckKind::Progress).await {
            tracing::debug!(event = %self.id, error = %err, "no sign of life could be given");
        }
    }
}

impl Hand {
    pub(super) fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes.max(1)).map(|_| Lane::default()).collect(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes a message up behind those of its lane.
    pub(super) fn put(&mut self, message: Message) {
        let (held, read) = read(message);
        let lane = match &read {
            Ok(delivery) if self.lanes.len() > 1 => {
                let mut hasher = DefaultHasher::new();
                delivery.subject_id.hash(&mut hasher);
                usize::try_from(hasher.finish() % self.lanes.len() as u64).unwrap_or_default()
            }
            _ => 0,
        };
        self.lanes[lane].waiting.push_back((held, read));
        self.len += 1;
    }

    /// The next batch of an idle lane, which now works on it: what waits there, `most` at most.
    pub(super) fn start(&mut self, most: usize) -> Option<(usize, Arc<Batch>)> {
        let idle = |lane: &Lane| lane.working.is_none() && !lane.waiting.is_empty();
        let place = self.lanes.iter().position(idle)?;
        let lane = &mut self.lanes[place];
        let batch = Arc::new(cut(&mut lane.waiting, most)?);
        lane.working = Some(Arc::clone(&batch));
        Some((place, batch))
    }

    /// A lane's batch is answered.
    pub(super) fn done(&mut self, lane: usize) {
        if let Some(batch) = self.lanes[lane].working.take() {
            self.len -= batch.held.len();
        }
    }

    /// Tells the broker that everything in hand is still cared for, so that it delivers nothing again.
    pub(super) async fn sign(&self) {
        for lane in &self.lanes {
            for held in lane.working.iter().flat_map(|batch| &batch.held) {
                held.sign().await;
            }
            for (held, _) in &lane.waiting {
                held.sign().await;
            }
        }
    }

    /// Gives back what nobody works on.
    pub(super) async fn give_back(&mut self) {
        for lane in &mut self.lanes {
            for (held, _) in lane.waiting.drain(..) {
                held.answer(Verdict::Untouched).await;
                self.len -= 1;
            }
        }
    }
}

/// The front of a lane: one unreadable message, or events that may share a transaction. Those of one aggregate keep
/// their order; aggregates are taken in one order everywhere, so that replicas do not wait for each other in a circle.
fn cut(waiting: &mut VecDeque<(Held, Result<Delivery, String>)>, most: usize) -> Option<Batch> {
    let (held, read) = waiting.pop_front()?;
    let first = match read {
        Ok(delivery) => delivery,
        Err(problem) => return Some(Batch { held: vec![held], deliveries: Err(problem) }),
    };
    let of_a_site = first.site.is_some();
    let mut events = vec![(held, first)];
    while events.len() < most {
        match waiting.pop_front() {
            Some((held, Ok(delivery))) if delivery.site.is_some() == of_a_site => {
                events.push((held, delivery));
            }
            Some(other) => {
                waiting.push_front(other);
                break;
            }
            None => break,
        }
    }
    events.sort_by(|(_, one), (_, other)| one.subject_id.cmp(&other.subject_id));
    let (held, deliveries) = events.into_iter().unzip();
    Some(Batch { held, deliveries: Ok(deliveries) })
}

fn read(message: Message) -> (Held, Result<Delivery, String>) {
    // Of our own making since the subject is the broker's; a message that has none is delivered as its first attempt.
    let (attempt, place) = message
        .info()
        .map(|info| {
            (u32::try_from(info.delivered).unwrap_or(u32::MAX).max(1), info.stream_sequence)
        })
        .unwrap_or((1, 0));
    let size = message.payload.len();
    let read = if size > MAX_EVENT_BYTES {
        Err(format!("it is {size} bytes, {MAX_EVENT_BYTES} may be sent"))
    } else {
        Delivery::read(&message.payload, attempt)
            .map_err(|problem| format!("the envelope cannot be read: {problem}"))
    };
    let headers = message.headers.as_ref();
    let read = read.map(|mut delivery| {
        delivery.traceparent = header(headers, telemetry::TRACEPARENT).map(ToOwned::to_owned);
        delivery
    });
    let id = read.as_ref().map_or_else(|_| fallback_id(headers, place), |delivery| delivery.id);
    (Held { id, attempt, answered: AtomicBool::new(false), message }, read)
}

fn header<'a>(headers: Option<&'a HeaderMap>, name: &str) -> Option<&'a str> {
    headers?.get(name).map(async_nats::HeaderValue::as_str)
}

/// An id for what has no readable one: its message id, or its place in the stream.
fn fallback_id(headers: Option<&HeaderMap>, place: u64) -> EventId {
    let id = header(headers, NATS_MESSAGE_ID.as_ref()).and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| EventId::from_uuid(Uuid::from_u128(place.into())))
}
