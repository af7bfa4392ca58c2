use chrono::{DateTime, Utc};
use types::{EventId, SiteId};

use super::frame::Frame;

/// One thing that happened, before it has a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) site: SiteId,
    pub(crate) event_id: EventId,
    pub(crate) event_type: String,
    pub(crate) actor: String,
    pub(crate) role: String,
    pub(crate) action: String,
    pub(crate) target_type: String,
    pub(crate) target_id: String,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) reason: String,
    pub(crate) address: String,
    pub(crate) trace_id: String,
    pub(crate) at: DateTime<Utc>,
}

/// An entry at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) entry: Entry,
    pub(crate) position: u64,
    pub(crate) previous_hash: [u8; 32],
    pub(crate) hash: [u8; 32],
}

impl Entry {
    /// How long its texts are together.
    pub(crate) fn bytes(&self) -> usize {
        let texts = [
            &self.event_type,
            &self.actor,
            &self.role,
            &self.action,
            &self.target_type,
            &self.target_id,
            &self.before,
            &self.after,
            &self.reason,
            &self.address,
            &self.trace_id,
        ];
        texts.into_iter().map(String::len).sum()
    }

    /// Over the previous hash, the position and every field. This is the format an exported log is verified by; it never
    /// changes for entries that exist.
    pub(crate) fn hash(&self, position: u64, previous: &[u8; 32]) -> [u8; 32] {
        Frame::new("sitepass audit 1")
            .bytes(previous)
            .number(position)
            .bytes(self.site.as_uuid().as_bytes())
            .bytes(self.event_id.as_uuid().as_bytes())
            .text(&self.event_type)
            .text(&self.actor)
            .text(&self.role)
            .text(&self.action)
            .text(&self.target_type)
            .text(&self.target_id)
            .text(&self.before)
            .text(&self.after)
            .text(&self.reason)
            .text(&self.address)
            .text(&self.trace_id)
            .instant(self.at)
            .digest()
    }
}
