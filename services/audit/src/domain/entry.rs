use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use types::{EventId, SiteId};

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
    /// SHA-256 over the previous hash, the position and every field. Each field goes in behind its length, so
    /// that no text can be moved from one field to the next without changing the hash. This is the format an
    /// exported log is verified by; it never changes for entries that exist.
    pub(crate) fn hash(&self, position: u64, previous: &[u8; 32]) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        field(b"sitepass audit 1");
        field(previous);
        field(&position.to_be_bytes());
        field(self.site.as_uuid().as_bytes());
        field(self.event_id.as_uuid().as_bytes());
        for text in [
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
        ] {
            field(text.as_bytes());
        }
        // PostgreSQL keeps microseconds.
        field(&self.at.timestamp_micros().to_be_bytes());
        hash.finalize().into()
    }
}
