//! What a stream holds, by the ids of its messages.

use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use futures::StreamExt;
use uuid::Uuid;

/// Read at once.
const CHUNK: usize = 1000;
/// Without a message for so long the reading has failed.
const SILENCE: Duration = Duration::from_secs(5);

/// A message's place and its id, where it has one of ours.
pub(crate) type Held = (u64, Option<Uuid>);

/// Reads places and ids from a place on, headers only.
pub(crate) struct Ids {
    consumer: async_nats::jetstream::consumer::PullConsumer,
    last: u64,
    read: u64,
}

impl Ids {
    /// From `first` to `last`, both included.
    pub(crate) async fn between(
        stream: &Stream,
        first: u64,
        last: u64,
    ) -> Result<Self, async_nats::Error> {
        // A stream that never held a message says that it begins at 0.
        let first = first.max(1);
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: first },
            ack_policy: AckPolicy::None,
            headers_only: true,
            memory_storage: true,
            num_replicas: 1,
            // The server takes it away when the reader does not.
            inactive_threshold: SILENCE * 6,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await?;
        Ok(Self { consumer, last, read: first - 1 })
    }

    /// The next messages, in order; empty when all were read. Deleted ones are left out.
    pub(crate) async fn next(&mut self) -> Result<Vec<Held>, async_nats::Error> {
        let mut found = Vec::new();
        if self.read >= self.last {
            return Ok(found);
        }
        let wanted = usize::try_from(self.last - self.read).unwrap_or(CHUNK).min(CHUNK);
        let mut messages = self.consumer.fetch().max_messages(wanted).messages().await?;
        while let Some(message) = tokio::time::timeout(SILENCE, messages.next()).await? {
            let message = message?;
            let place = message.info()?.stream_sequence;
            self.read = place;
            if place > self.last {
                break;
            }
            let id = message.headers.as_ref().and_then(|headers| headers.get(NATS_MESSAGE_ID));
            found.push((place, id.and_then(|id| id.as_str().parse().ok())));
        }
        if found.is_empty() {
            self.read = self.last;
        }
        Ok(found)
    }
}

/// The id of the message at `place`; `None` when there is no message.
pub(crate) async fn id_at(stream: &Stream, place: u64) -> Result<Option<Held>, async_nats::Error> {
    match stream.get_raw_message(place).await {
        Ok(message) => {
            let id = message.headers.get(NATS_MESSAGE_ID).and_then(|id| id.as_str().parse().ok());
            Ok(Some((place, id)))
        }
        Err(err) if err.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(err) => Err(err.into()),
    }
}
