//! The loop around the broker's durable consumer; made anew whenever the stream or the consumer went away.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::pull::{Config, MessagesErrorKind, Stream};
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::{AckKind, Message};
use futures::{FutureExt, StreamExt};
use service::telemetry;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use types::EventId;
use uuid::Uuid;

use super::prime::prime;
use super::take::{Outcome, Sent, deliver, park};
use super::{Consumer, Handler};
use crate::bus::{stream_name, subject};
use crate::delivery::{Delivery, Failure};
use crate::halt::{Halt, Point};
use crate::parked;

/// Fetched ahead and handled one by one, so that what a key's events do keeps their order.
const BATCH: usize = 64;
/// Of one pull; the next follows by itself.
const PULL: Duration = Duration::from_secs(30);
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

pub(super) async fn follow<H: Handler>(consumer: &Consumer<H>, stop: &CancellationToken) {
    let durable = consumer.handler.durable();
    let mut wait = FIRST_WAIT;
    while !stop.is_cancelled() {
        match subscribe(consumer).await {
            Ok((pull, messages)) => {
                wait = FIRST_WAIT;
                tracing::debug!(durable, "following");
                listen(consumer, &pull, messages, stop).await;
            }
            Err(err) => {
                tracing::debug!(durable, error = %err, "the stream is not there yet");
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn subscribe<H: Handler>(
    consumer: &Consumer<H>,
) -> Result<(PullConsumer, Stream), async_nats::Error> {
    Box::pin(prime(consumer)).await?;
    let Consumer { bus, handler, patience, .. } = consumer;
    let context = handler.context();
    let filter_subjects = handler
        .events()
        .iter()
        .map(|name| subject(&bus.prefix, context, name, "*"))
        .collect::<Vec<_>>();
    let config = Config {
        durable_name: Some(handler.durable().to_owned()),
        filter_subjects,
        ack_policy: AckPolicy::Explicit,
        ack_wait: patience.ack_wait,
        max_deliver: -1,
        ..Config::default()
    };
    let stream = bus.jetstream.get_stream(stream_name(&bus.prefix, context)).await?;
    let pull: PullConsumer = stream.create_consumer(config).await?;
    let messages = pull
        .stream()
        .max_messages_per_batch(BATCH)
        .expires(PULL)
        .heartbeat(patience.heartbeat)
        .messages()
        .await?;
    Ok((pull, messages))
}

/// Handles what comes until shutdown or until the consumer has to be looked for again.
async fn listen<H: Handler>(
    consumer: &Consumer<H>,
    pull: &PullConsumer,
    mut messages: Stream,
    stop: &CancellationToken,
) {
    let mut idle = tokio::time::interval(consumer.patience.idle);
    let mut quiet = true;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => {
                give_back(&mut messages).await;
                return;
            }
            _ = idle.tick() => {
                parked::resume(&consumer.store, &consumer.handler).await;
                let Ok(info) = pull.get_info().await else { return };
                let lag = u32::try_from(info.num_pending).unwrap_or(u32::MAX);
                metrics::gauge!("events_consumer_lag", "consumer" => consumer.handler.durable()).set(f64::from(lag));
                // Something waits, nothing came since the last look and nothing is in anyone's hands: the pull is dead.
                if quiet && info.num_pending > 0 && info.num_ack_pending == 0 {
                    return;
                }
                quiet = true;
            }
            message = messages.next() => match message {
                Some(Ok(message)) => {
                    quiet = false;
                    receive(consumer, &message).await;
                }
                // A slow handler looks like a silent broker; the consumer's being there tells them apart.
                Some(Err(err)) if err.kind() == MessagesErrorKind::MissingHeartbeat => {
                    if pull.get_info().await.is_err() {
                        return;
                    }
                }
                Some(Err(err)) => {
                    tracing::debug!(durable = consumer.handler.durable(), error = %err, "looking for the consumer again");
                    return;
                }
                None => return,
            },
        }
    }
}

/// What was fetched ahead goes to another replica, or to the next start.
async fn give_back(messages: &mut Stream) {
    while let Some(Some(Ok(message))) = messages.next().now_or_never() {
        if message.ack_with(AckKind::Nak(Some(Duration::from_millis(10)))).await.is_err() {
            return;
        }
    }
}

async fn receive<H: Handler>(consumer: &Consumer<H>, message: &Message) {
    let durable = consumer.handler.durable();
    let headers = message.headers.as_ref();
    let span = tracing::info_span!(
        "process",
        otel.name = format!("process {durable}"),
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.operation.type = "process",
        messaging.consumer.group.name = durable,
        messaging.destination.name = %message.subject,
        messaging.message.id = header(headers, NATS_MESSAGE_ID.as_ref()).unwrap_or_default(),
    );
    telemetry::set_parent(&span, header(headers, telemetry::TRACEPARENT));
    let answered = settle(consumer, message).instrument(span).await;
    if let Err(err) = answered {
        // It comes again after the acknowledgement wait; the inbox knows whether it was handled.
        tracing::debug!(durable, error = %err, "delivery was not answered");
    }
}

async fn settle<H: Handler>(
    consumer: &Consumer<H>,
    message: &Message,
) -> Result<(), async_nats::Error> {
    let Consumer { store, handler, patience, halt, .. } = consumer;
    let durable = handler.durable();
    let info = message.info()?;
    let attempt = u32::try_from(info.delivered).unwrap_or(u32::MAX).max(1);
    let read = Delivery::read(&message.payload, attempt);
    let (id, result) = match &read {
        Ok(delivery) => (delivery.id, deliver(store, handler, delivery).await),
        Err(problem) => (
            fallback_id(message.headers.as_ref(), info.stream_sequence),
            Err(Failure::Park(format!("the envelope cannot be read: {problem}"))),
        ),
    };
    let error = match result {
        Ok(outcome) => {
            count(durable, if outcome == Outcome::Handled { "handled" } else { "repeated" });
            Halt::pass(halt.as_ref(), Point::BeforeAck).await;
            return message.double_ack().await;
        }
        Err(Failure::Retry(error)) => {
            if let Some(delay) = patience.after(attempt) {
                count(durable, "retried");
                tracing::warn!(durable, event = %id, attempt, error, "event is tried again later");
                return message.ack_with(AckKind::Nak(Some(delay))).await;
            }
            error
        }
        Err(Failure::Park(error)) => error,
    };
    let sent = Sent {
        id,
        subject: &message.subject,
        payload: &message.payload,
        traceparent: header(message.headers.as_ref(), telemetry::TRACEPARENT),
        attempt,
    };
    match park(store, durable, sent, &error).await {
        Ok(()) => {
            count(durable, "parked");
            tracing::error!(durable, event = %id, attempt, error, "event parked, put it back once its cause is mended");
            message.double_ack_with(AckKind::Term).await
        }
        Err(err) => {
            let delay = patience
                .delays
                .last()
                .copied()
                .unwrap_or(LONGEST_WAIT)
                .min(Duration::from_secs(30));
            tracing::warn!(durable, event = %id, error = %err, "event could not be parked yet");
            message.ack_with(AckKind::Nak(Some(delay))).await
        }
    }
}

fn header<'a>(headers: Option<&'a HeaderMap>, name: &str) -> Option<&'a str> {
    headers?.get(name).map(async_nats::HeaderValue::as_str)
}

/// An id for what has no readable one: its message id, or its place in the stream.
fn fallback_id(headers: Option<&HeaderMap>, place: u64) -> EventId {
    let id = header(headers, NATS_MESSAGE_ID.as_ref()).and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| EventId::from_uuid(Uuid::from_u128(place.into())))
}

fn count(consumer: &'static str, outcome: &'static str) {
    metrics::counter!("events_consumed_total", "consumer" => consumer, "outcome" => outcome)
        .increment(1);
}
