//! The events that are sent: envelopes as the services write them, about 400 bytes each.

use chrono::{DateTime, TimeZone, Utc};
use prost::Message as _;
use proto::Event;
use proto::common::v1::EventEnvelope;
use proto::training::v1::TrainingStarted;
use types::{EventId, SiteId};

use crate::batch::Message;

/// The context whose events they are.
pub(crate) const CONTEXT: &str = "training";
/// Different aggregates among them.
pub(crate) const AGGREGATES: usize = 1_000;

pub(crate) fn at() -> DateTime<Utc> {
    Utc.timestamp_opt(1_772_409_600, 0).single().unwrap_or_default()
}

/// The facts of one site. The `n`th is about aggregate `n` modulo [`AGGREGATES`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) site: SiteId,
    worker: uuid::Uuid,
}

impl Facts {
    pub(crate) fn new() -> Self {
        Self { site: SiteId::new(), worker: EventId::new().as_uuid() }
    }

    pub(crate) fn fact(&self, number: usize) -> TrainingStarted {
        self.about(number % AGGREGATES, number)
    }

    /// The fact whose aggregate is `number` itself, so that it can be told from every other.
    pub(crate) fn numbered(&self, number: usize) -> TrainingStarted {
        self.about(number, 1)
    }

    fn about(&self, aggregate: usize, version: usize) -> TrainingStarted {
        TrainingStarted {
            session_id: EventId::new().to_string(),
            site_id: self.site.to_string(),
            daily_ticket_id: aggregate.to_string(),
            worker_id: self.worker.to_string(),
            video_id: self.worker.to_string(),
            started_at: Some(proto::timestamp(at())),
            version: version as u64,
        }
    }

    /// Envelopes as the outbox holds them, for streams that are filled without one.
    pub(crate) fn messages(&self, prefix: &str, count: usize) -> Vec<Message> {
        (0..count)
            .map(|number| {
                let fact = self.fact(number);
                let id = EventId::new().to_string();
                let envelope = EventEnvelope {
                    id: id.clone(),
                    source: format!("/sitepass/{CONTEXT}"),
                    r#type: format!("sitepass.{CONTEXT}.v1.{}", TrainingStarted::NAME),
                    subject: fact.subject_id(),
                    time: Some(proto::timestamp(at())),
                    site_id: self.site.to_string(),
                    version: fact.version(),
                    data: fact.encode_to_vec(),
                };
                let site = self.site.to_string();
                let subject = events::subject(prefix, CONTEXT, TrainingStarted::NAME, &site);
                Message { subject, id, payload: envelope.encode_to_vec().into() }
            })
            .collect()
    }
}

/// The number of a [`Facts::numbered`] fact, from its aggregate's id.
pub(crate) fn number(subject_id: &str) -> Option<usize> {
    subject_id.split('/').next()?.parse().ok()
}
