//! The durable consumer at the broker: what remembers which events a handler has acknowledged.

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::Stream;

use super::{Consumer, Handler};
use crate::bus::{stream_name, subject};

/// Events in hand of several replicas, and such as wait for their next attempt: what one durable has out at once.
const ROOMS: usize = 16;

/// The stream and the durable, made if it is missing and brought to this release's settings if it is of another. Fails
/// while its owner has not made the stream.
pub(super) async fn attach<H: Handler>(
    consumer: &Consumer<H>,
) -> Result<(Stream, PullConsumer), async_nats::Error> {
    let Consumer { bus, handler, .. } = consumer;
    let stream = bus.jetstream.get_stream(stream_name(&bus.prefix, handler.context())).await?;
    let mut wanted = config(consumer);
    match stream.consumer_info(handler.durable()).await {
        Ok(info) => {
            if suits(&info.config, &wanted) {
                let pull = PullConsumer::new(wanted, info, bus.jetstream.clone());
                return Ok((stream, pull));
            }
            // Where it began cannot be changed, and need not be.
            wanted.deliver_policy = info.config.deliver_policy;
            tracing::info!(durable = handler.durable(), "bringing the consumer to other settings");
            match stream.create_consumer(wanted).await {
                Ok(pull) => Ok((stream, pull)),
                Err(err) => {
                    tracing::warn!(durable = handler.durable(), error = %err, "the consumer cannot be changed");
                    renew(consumer, &stream).await.map(|pull| (stream, pull))
                }
            }
        }
        Err(err) if err.kind() == ConsumerInfoErrorKind::NotFound => {
            let pull = stream.create_consumer(wanted).await?;
            Ok((stream, pull))
        }
        Err(err) => Err(err.into()),
    }
}

/// Deletes the durable and makes it anew behind the last event up to which all are acknowledged. What was acknowledged
/// behind that comes again; the inbox knows it.
pub(super) async fn renew<H: Handler>(
    consumer: &Consumer<H>,
    stream: &Stream,
) -> Result<PullConsumer, async_nats::Error> {
    let durable = consumer.handler.durable();
    let floor = stream.consumer_info(durable).await?.ack_floor.stream_sequence;
    let deliver_policy = DeliverPolicy::ByStartSequence { start_sequence: floor + 1 };
    stream.delete_consumer(durable).await?;
    Ok(stream.create_consumer(Config { deliver_policy, ..config(consumer) }).await?)
}

/// The subjects a handler reads.
pub(super) fn filter<H: Handler>(consumer: &Consumer<H>) -> Vec<String> {
    let Consumer { bus, handler, .. } = consumer;
    let name = |name: &&str| subject(&bus.prefix, handler.context(), name, "*");
    handler.events().iter().map(name).collect()
}

fn config<H: Handler>(consumer: &Consumer<H>) -> Config {
    Config {
        durable_name: Some(consumer.handler.durable().to_owned()),
        filter_subjects: filter(consumer),
        ack_policy: AckPolicy::Explicit,
        ack_wait: consumer.patience.ack_wait,
        max_deliver: -1,
        max_ack_pending: i64::try_from(consumer.room() * ROOMS).unwrap_or(i64::MAX),
        ..Config::default()
    }
}

fn suits(there: &consumer::Config, wanted: &Config) -> bool {
    let mut filter = there.filter_subjects.clone();
    if !there.filter_subject.is_empty() {
        filter.push(there.filter_subject.clone());
    }
    filter == wanted.filter_subjects
        && there.ack_policy == wanted.ack_policy
        && there.ack_wait == wanted.ack_wait
        && there.max_deliver == wanted.max_deliver
        && there.max_ack_pending == wanted.max_ack_pending
}
