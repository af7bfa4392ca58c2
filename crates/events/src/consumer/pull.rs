//! Asks the broker for as many messages as there is room for, and no more: what is delivered is what is in hand.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::jetstream::{Context, Message};
use async_nats::{StatusCode, Subject, Subscriber};
use futures::{FutureExt, StreamExt};
use service::Nats;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;

use crate::bus::Bus;

/// Of one request; the next follows when it ran out.
const EXPIRES: Duration = Duration::from_secs(30);
/// Of one request, so that large events fill no memory. Far above what the largest event may be: one above it would
/// never be delivered.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Signs of life that may be missing, one after the other.
const MISSED: u32 = 3;

/// Why nothing comes any more: the broker is silent, or the consumer is gone.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Lost(String);

/// One replica's requests at a durable consumer.
#[derive(Debug)]
pub(super) struct Pull {
    consumer: PullConsumer,
    context: Context,
    nats: Nats,
    reply: Subject,
    inbox: Subscriber,
    heartbeat: Duration,
    /// Requested and not delivered yet.
    asked: usize,
    heard: Instant,
    /// How often the client had connected when the inbox was subscribed. After the next time the broker knows nothing of
    /// what was asked for, and would be silent.
    connects: u64,
}

impl Pull {
    pub(super) async fn open(
        bus: &Bus,
        consumer: PullConsumer,
        heartbeat: Duration,
    ) -> Result<Self, async_nats::Error> {
        let (context, nats) = (bus.jetstream.clone(), bus.nats.clone());
        let reply = Subject::from(nats.client().new_inbox());
        let connects = nats.connects();
        let inbox = nats.client().subscribe(reply.clone()).await?;
        let heard = Instant::now();
        Ok(Self { consumer, context, nats, reply, inbox, heartbeat, asked: 0, heard, connects })
    }

    /// Asks for what fits into `room` besides what was asked for already. Does nothing until half of it is free, so
    /// that requests stay few.
    pub(super) async fn ask(&mut self, held: usize, room: usize) -> Result<(), Lost> {
        let busy = held + self.asked;
        if busy > room / 2 {
            return Ok(());
        }
        if self.asked == 0 {
            // Nothing was asked for, so nothing had to be heard.
            self.heard = Instant::now();
        }
        let request = BatchConfig {
            batch: room - busy,
            expires: Some(EXPIRES),
            max_bytes: MAX_BYTES,
            idle_heartbeat: self.heartbeat,
            ..BatchConfig::default()
        };
        self.consumer
            .request_batch(request, self.reply.clone())
            .await
            .map_err(|err| Lost(err.to_string()))?;
        self.asked = room - held;
        Ok(())
    }

    /// The next message; `None` when a request ran out or the broker gave a sign of life. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Lost> {
        let patience = self.heard + self.heartbeat * MISSED;
        tokio::select! {
            biased;
            message = self.inbox.next() => self.read(message),
            () = self.nats.renewed(self.connects), if self.asked > 0 => {
                Err(Lost("the connection was made anew".to_owned()))
            }
            () = tokio::time::sleep_until(patience), if self.asked > 0 => {
                Err(Lost("no sign of life of the broker".to_owned()))
            }
        }
    }

    /// The next message, if it is there already.
    pub(super) fn ready(&mut self) -> Result<Option<Message>, Lost> {
        // A task that read much is made to look idle by its runtime; here that would cut a batch short.
        while let Some(message) = unconstrained(self.inbox.next()).now_or_never() {
            if let Some(message) = self.read(message)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Asks for no more, and yields what was on its way.
    pub(super) async fn close(mut self) -> Vec<Message> {
        let mut late = Vec::new();
        if self.inbox.drain().await.is_err() {
            return late;
        }
        // Cut off where the connection is away: then nothing is on its way either.
        let until = Instant::now() + self.heartbeat;
        while let Ok(Some(message)) = tokio::time::timeout_at(until, self.inbox.next()).await {
            if message.status.is_none_or(|status| status == StatusCode::OK) {
                late.extend(self.message(message));
            }
        }
        late
    }

    /// A message of the stream, or what a status changes.
    fn read(&mut self, message: Option<async_nats::Message>) -> Result<Option<Message>, Lost> {
        let message = message.ok_or_else(|| Lost("the connection was closed".to_owned()))?;
        self.heard = Instant::now();
        let Some(status) = message.status.filter(|status| *status != StatusCode::OK) else {
            self.asked = self.asked.saturating_sub(1);
            return Ok(self.message(message));
        };
        let said = message.description.as_deref().unwrap_or_default();
        match status {
            StatusCode::IDLE_HEARTBEAT => Ok(None),
            StatusCode::TIMEOUT | StatusCode::NOT_FOUND => {
                self.ran_out(&message);
                Ok(None)
            }
            // A request with a limit of bytes says when it is fulfilled; or that the next message, for which the next
            // request has room, was too much for what was left of it.
            StatusCode::REQUEST_TERMINATED
                if said == "Batch Completed" || said.contains("MaxBytes") =>
            {
                self.ran_out(&message);
                Ok(None)
            }
            _ => Err(Lost(format!("{status} {said}"))),
        }
    }

    fn ran_out(&mut self, message: &async_nats::Message) {
        let left =
            message.headers.as_ref().and_then(|headers| headers.get("Nats-Pending-Messages"));
        let left = left.and_then(|left| left.as_str().parse().ok()).unwrap_or(self.asked);
        self.asked = self.asked.saturating_sub(left);
    }

    fn message(&self, message: async_nats::Message) -> Option<Message> {
        // Without a reply subject it came from no stream.
        message.reply.is_some().then(|| Message { message, context: self.context.clone() })
    }
}
