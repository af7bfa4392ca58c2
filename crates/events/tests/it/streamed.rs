//! The way to the broker; what the stream holds, and what the outbox says it does.

use std::net::Ipv4Addr;

use async_nats::header::{NATS_BATCH_ID, NATS_MESSAGE_ID};
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::{ConnectOptions, ServerAddr};
use futures::StreamExt;
use test_support::{Proxy, eventually};

use crate::world::World;

impl World {
    /// Another connection to the broker, by a way that can be broken.
    pub(crate) async fn nats_behind_proxy(&self) -> (service::Nats, Proxy) {
        let broker: ServerAddr = self.nats.as_ref().unwrap().url().parse().unwrap();
        let proxy = Proxy::start((Ipv4Addr::LOCALHOST, broker.port()).into(), 1).await;
        let url = format!("nats://127.0.0.1:{}", proxy.port());
        let nats = service::Nats::connect(ConnectOptions::new(), &url).await.unwrap();
        (nats, proxy)
    }

    /// The message ids in the stream, in order.
    pub(crate) async fn streamed(&self) -> Vec<String> {
        self.messages().await.into_iter().map(|(_, id, _)| id).collect()
    }

    /// Place and message id of each message in the stream, in order, and whether it came in a batch; without alerts,
    /// which come besides.
    pub(crate) async fn messages(&self) -> Vec<(u64, String, bool)> {
        let Ok(stream) = self.jetstream().get_stream(self.stream_name()).await else {
            return vec![];
        };
        let ack_policy = AckPolicy::None;
        let config = pull::Config { headers_only: true, ack_policy, ..pull::Config::default() };
        let consumer = stream.create_consumer(config).await.unwrap();
        let count = stream.get_info().await.unwrap().state.messages;
        let fetching = consumer.fetch().max_messages(count.try_into().unwrap()).messages();
        let messages = fetching.await.unwrap().filter_map(async |message| {
            let message = message.unwrap();
            if message.subject.contains(".Alert") {
                return None;
            }
            let headers = message.headers.as_ref();
            let header = |name| Some(headers?.get(name)?.as_str().to_owned());
            let place = message.info().unwrap().stream_sequence;
            let id = header(NATS_MESSAGE_ID).unwrap_or_default();
            Some((place, id, header(NATS_BATCH_ID).is_some()))
        });
        messages.collect().await
    }

    /// Waits until the stream holds `count` messages.
    pub(crate) async fn until_streamed(&self, count: usize) {
        eventually("messages in the stream", async || {
            (self.messages().await.len() == count).then_some(())
        })
        .await;
    }

    /// Each sent fact's place and id, by place.
    pub(crate) async fn placed(&self) -> Vec<(u64, String)> {
        let placed: Vec<(i64, String)> = sqlx::query_as(
            "SELECT stream_seq, event_id::text FROM training.outbox
             WHERE stream_seq IS NOT NULL AND name NOT LIKE 'Alert%' ORDER BY stream_seq",
        )
        .fetch_all(&self.database.admin())
        .await
        .unwrap();
        placed.into_iter().map(|(place, id)| (place.unsigned_abs(), id)).collect()
    }

    /// Each message's place and id.
    pub(crate) async fn held(&self) -> Vec<(u64, String)> {
        self.messages().await.into_iter().map(|(place, id, _)| (place, id)).collect()
    }
}

/// As `assert_eq!` for long lists: shows how they differ first.
#[track_caller]
pub(crate) fn assert_same<T: PartialEq + std::fmt::Debug>(left: &[T], right: &[T]) {
    let differs = left.iter().zip(right).position(|(left, right)| left != right);
    if let Some(at) = differs {
        panic!("item {at} is {:?} and {:?}", left[at], right[at]);
    }
    assert_eq!(left.len(), right.len(), "the same as far as both go");
}
