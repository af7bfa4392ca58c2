//! JetStream's atomic batches by hand: what the stream can take, without anything around it.

use anyhow::{Context, Result, bail};
use async_nats::jetstream::{self, stream};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use serde_json::Value;
use types::EventId;

/// The most that one batch may hold.
pub(crate) const MOST: usize = 1000;

/// One message as the relay sends it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) id: String,
    pub(crate) payload: Bytes,
}

/// Makes a stream as the relay makes its own: on the disk before it is acknowledged, by the server's setting.
pub(crate) async fn make_stream(
    client: &Client,
    name: &str,
    subjects: String,
) -> Result<stream::Stream> {
    let config = stream::Config {
        name: name.to_owned(),
        subjects: vec![subjects],
        storage: stream::StorageType::File,
        duplicate_window: std::time::Duration::from_secs(1),
        allow_direct: true,
        allow_atomic_publish: true,
        ..stream::Config::default()
    };
    jetstream::new(client.clone()).create_stream(config).await.context("make a stream")
}

/// Sends all in batches, one at a time; `expected` is the stream's last sequence before.
pub(crate) async fn publish(
    client: &Client,
    messages: &[Message],
    mut expected: u64,
) -> Result<u64> {
    for batch in messages.chunks(MOST) {
        expected = publish_one(client, batch, expected).await?;
    }
    Ok(expected)
}

/// One batch, of which all is stored or nothing.
pub(crate) async fn publish_one(client: &Client, batch: &[Message], expected: u64) -> Result<u64> {
    let id = EventId::new().as_uuid().simple().to_string();
    for (place, message) in batch.iter().enumerate() {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", message.id.as_str());
        headers.insert("Nats-Batch-Id", id.as_str());
        headers.insert("Nats-Batch-Sequence", (place + 1).to_string());
        if place == 0 {
            headers.insert("Nats-Expected-Last-Sequence", expected.to_string());
        }
        let (subject, payload) = (message.subject.clone(), message.payload.clone());
        if place + 1 < batch.len() {
            client
                .publish_with_headers(subject, headers, payload)
                .await
                .context("send a part of a batch")?;
            continue;
        }
        headers.insert("Nats-Batch-Commit", "1");
        let answer = client
            .request_with_headers(subject, headers, payload)
            .await
            .context("commit a batch")?;
        let answer: Value = serde_json::from_slice(&answer.payload).context("a batch's answer")?;
        match (answer["seq"].as_u64(), answer["count"].as_u64()) {
            (Some(last), Some(count)) if count == batch.len() as u64 => return Ok(last),
            _ => bail!("the batch was refused: {answer}"),
        }
    }
    Ok(expected)
}
