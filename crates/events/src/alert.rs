//! What needs a person, told as an event of the context it happened in. With its kind and what it is about an alert
//! has a name: raised again it is the same one, and clearing what was never raised does no harm.

use prost::Message;
use proto::common::v1::{AlertCleared, AlertRaised};
use service::{StoreError, Tx};
use types::{EventId, SystemClock};

use crate::outbox::Fact;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A consumer could not take an event, which waits for a person.
    EventParked,
    /// The broker no longer holds all of a stream.
    StreamLost,
    /// A consumer was delivered nothing though events wait.
    ConsumerStuck,
    /// A run of a job had its attempts.
    JobGivenUp,
    /// The audit log, or a checkpoint of it, is not what it was.
    AuditBroken,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventParked => "EVENT_PARKED",
            Self::StreamLost => "STREAM_LOST",
            Self::ConsumerStuck => "CONSUMER_STUCK",
            Self::JobGivenUp => "JOB_GIVEN_UP",
            Self::AuditBroken => "AUDIT_BROKEN",
        }
    }
}

/// Tells that `about` (a consumer, a stream, a job) needs someone. `context` is the schema's, whose outbox `tx`
/// writes to; `detail` is for an operator and holds no personal data.
pub async fn raise(
    tx: &mut Tx,
    context: &str,
    kind: Kind,
    about: &str,
    detail: &str,
) -> Result<EventId, StoreError> {
    let at = SystemClock::system().now();
    let message = AlertRaised {
        kind: kind.as_str().to_owned(),
        about: about.to_owned(),
        detail: detail.to_owned(),
        at: Some(proto::timestamp(at)),
    };
    tell(tx, context, "AlertRaised", (kind, about), message.encode_to_vec()).await
}

/// Tells that it is over.
pub async fn clear(
    tx: &mut Tx,
    context: &str,
    kind: Kind,
    about: &str,
) -> Result<EventId, StoreError> {
    let at = SystemClock::system().now();
    let message = AlertCleared {
        kind: kind.as_str().to_owned(),
        about: about.to_owned(),
        at: Some(proto::timestamp(at)),
    };
    tell(tx, context, "AlertCleared", (kind, about), message.encode_to_vec()).await
}

async fn tell(
    tx: &mut Tx,
    context: &str,
    name: &str,
    (kind, about): (Kind, &str),
    data: Vec<u8>,
) -> Result<EventId, StoreError> {
    let at = SystemClock::system().now();
    let fact = Fact {
        context,
        name,
        subject: format!("{}/{about}", kind.as_str()),
        site: String::new(),
        // Grows, so that whoever keeps the newest knows whether it was raised or cleared last.
        version: u64::try_from(at.timestamp_micros()).unwrap_or_default(),
        state: None,
        data,
    };
    fact.write(tx, at).await
}
