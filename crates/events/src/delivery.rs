use std::str::FromStr;

use chrono::{DateTime, Utc};
use prost::Message;
use proto::Event;
use proto::common::v1::EventEnvelope;
use service::{StoreError, telemetry};
use tracing::Span;
use types::{EventId, SiteId};

/// One event as a handler gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: EventId,
    /// `TicketPublished`
    pub name: String,
    /// The context that published it.
    pub context: String,
    pub site: Option<SiteId>,
    /// The aggregate it is about.
    pub subject_id: String,
    /// The aggregate's version after the fact. A handler keeps the newest.
    pub version: u64,
    /// When it became true, site time.
    pub at: DateTime<Utc>,
    /// The fact itself; see [`Delivery::decode`].
    pub data: Vec<u8>,
    /// From 1; grows with each delivery to the same consumer.
    pub attempt: u32,
    /// The trace its sender was in, as W3C Trace Context writes it.
    pub traceparent: Option<String>,
}

impl Delivery {
    /// The id of the trace its sender was in.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref()?.split('-').nth(1)
    }

    /// The span its handling is in: part of its sender's trace.
    pub(crate) fn span(&self, durable: &str) -> Span {
        let span = tracing::info_span!(
            "process",
            otel.name = format!("process {durable}"),
            otel.kind = "consumer",
            messaging.system = "nats",
            messaging.operation.type = "process",
            messaging.consumer.group.name = durable,
            messaging.destination.name = format!("{}.v1.{}", self.context, self.name),
            messaging.message.id = %self.id,
        );
        telemetry::set_parent(&span, self.traceparent.as_deref());
        span
    }

    /// The fact as its message. What cannot be read is for a person to look at.
    pub fn decode<M: Message + Default>(&self) -> Result<M, Failure> {
        M::decode(self.data.as_slice())
            .map_err(|err| Failure::Park(format!("{} cannot be read: {err}", self.name)))
    }

    /// Whether this is the event `E`.
    pub fn is<E: Event>(&self) -> bool {
        self.context == E::CONTEXT && self.name == E::NAME
    }

    /// A field's text as what it stands for. What is none is for a person to look at; the text is not repeated.
    pub fn parse<T: FromStr>(&self, field: &str, text: &str) -> Result<T, Failure> {
        text.parse().map_err(|_| Failure::Park(format!("{}: {field} cannot be read", self.name)))
    }

    /// Each text of a repeated field.
    pub fn parse_all<T: FromStr>(&self, field: &str, texts: &[String]) -> Result<Vec<T>, Failure> {
        texts.iter().map(|text| self.parse(field, text)).collect()
    }

    /// A part without which the fact says nothing.
    pub fn carried<T>(&self, what: &str, part: Option<T>) -> Result<T, Failure> {
        part.ok_or_else(|| Failure::Park(format!("{} carries no {what}", self.name)))
    }

    /// The version as a column holds it.
    pub fn row_version(&self) -> Result<i64, Failure> {
        i64::try_from(self.version)
            .map_err(|_| Failure::Park(format!("{}: the version is too large", self.name)))
    }

    /// For a handler that was given what it did not ask for.
    pub fn unexpected(&self) -> Failure {
        Failure::Park(format!("{} is none of this consumer's events", self.name))
    }

    /// Reads an envelope; says what is wrong with one that cannot be read.
    pub(crate) fn read(payload: &[u8], attempt: u32) -> Result<Self, String> {
        let envelope = EventEnvelope::decode(payload).map_err(|err| err.to_string())?;
        let mut kind = envelope.r#type.split('.').skip(1);
        let (Some(context), Some("v1"), Some(name), None) =
            (kind.next(), kind.next(), kind.next(), kind.next())
        else {
            return Err(format!("unknown type {:?}", envelope.r#type));
        };
        let site = match envelope.site_id.as_str() {
            "" => None,
            site => Some(site.parse().map_err(|_| "the site is no identifier".to_owned())?),
        };
        Ok(Self {
            id: envelope.id.parse().map_err(|_| "the id is no identifier".to_owned())?,
            name: name.to_owned(),
            context: context.to_owned(),
            site,
            subject_id: envelope.subject,
            version: envelope.version,
            at: proto::instant(envelope.time.as_ref()).ok_or("the time is missing")?,
            data: envelope.data,
            attempt,
            traceparent: None,
        })
    }
}

/// Why a handler did not take an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Again later; parked once the last attempt failed too.
    #[error("to be retried: {0}")]
    Retry(String),
    /// Never again by itself: a person has to look.
    #[error("to be parked: {0}")]
    Park(String),
}

impl From<StoreError> for Failure {
    fn from(err: StoreError) -> Self {
        match &err {
            StoreError::Corrupt { .. } => Self::Park(err.to_string()),
            StoreError::Conflict | StoreError::Unavailable | StoreError::Database(_) => {
                Self::Retry(err.to_string())
            }
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(err: sqlx::Error) -> Self {
        StoreError::from(err).into()
    }
}

#[cfg(test)]
mod tests {
    use proto::training::v1::TrainingStarted;
    use types::WorkerId;

    use super::{Delivery, Failure};
    use crate::testing;

    fn parked<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
        match result {
            Err(Failure::Park(why)) => why,
            other => panic!("not parked: {other:?}"),
        }
    }

    #[test]
    fn what_does_not_fit_is_parked_with_its_field_and_never_with_its_text() {
        let delivery =
            Delivery { version: u64::MAX, ..testing::delivery(&TrainingStarted::default()) };
        let why = parked(delivery.parse::<WorkerId>("worker_id", "secret"));
        assert_eq!(why, "TrainingStarted: worker_id cannot be read");
        let all = ["secret".to_owned()];
        assert_eq!(
            parked(delivery.parse_all::<WorkerId>("worker_ids", &all)),
            "TrainingStarted: worker_ids cannot be read"
        );
        assert_eq!(
            parked(delivery.carried::<()>("ticket", None)),
            "TrainingStarted carries no ticket"
        );
        assert_eq!(parked(delivery.row_version()), "TrainingStarted: the version is too large");
    }
}
