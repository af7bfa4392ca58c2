//! After any doubt the stream itself says what it holds.

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use uuid::Uuid;

use super::Ended;
use super::lead::Lead;
use super::state::States;

/// Read before they are marked together.
const CHUNK: usize = 500;

/// Brings the outbox and the stream to one view: marks rows whose message is there though no confirmation came,
/// and takes back the mark of rows whose message was lost with the stream's tail.
pub(super) async fn settle(
    lead: &mut Lead,
    states: &mut States,
    stream: &Stream,
) -> Result<(), Ended> {
    let last = lead.hold(stream.get_info()).await?.map_err(Ended::broker)?.state.last_sequence;
    if last < lead.last_stream_seq {
        let known = lead.last_stream_seq;
        let rows = lead.forget_after(last).await?;
        tracing::error!(
            known,
            last,
            rows,
            "the stream has lost its tail, publishing again from the outbox"
        );
        return Ok(());
    }
    while lead.last_stream_seq < last {
        let from = lead.last_stream_seq + 1;
        let to = last.min(lead.last_stream_seq + CHUNK as u64);
        let mut found = Vec::new();
        for place in from..=to {
            if let Some(id) = lead.hold(message_id(stream, place)).await?? {
                found.push((id, place));
            }
        }
        let ids: Vec<Uuid> = found.iter().map(|(id, _)| *id).collect();
        states.publish_found(lead, &ids).await?;
        let own = lead.found(&found, to).await?;
        tracing::info!(from, to, own, "read back what the stream holds");
    }
    Ok(())
}

/// The id of the message at `place`; `None` for a message that was deleted or is not ours.
async fn message_id(stream: &Stream, place: u64) -> Result<Option<Uuid>, Ended> {
    match stream.get_raw_message(place).await {
        Ok(message) => {
            Ok(message.headers.get(NATS_MESSAGE_ID).and_then(|id| id.as_str().parse().ok()))
        }
        Err(err) if err.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(err) => Err(Ended::broker(err)),
    }
}
