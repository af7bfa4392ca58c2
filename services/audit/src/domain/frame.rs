use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

/// SHA-256 over a list of fields, each behind its length in bytes (eight, big-endian), so that nothing can be moved
/// from one field to the next without changing the digest. `docs/audit-export.md` describes it for other verifiers;
/// it never changes for what exists.
#[derive(Debug)]
pub(crate) struct Frame(Sha256);

impl Frame {
    /// The label says what the fields mean, and is the first of them.
    pub(crate) fn new(label: &str) -> Self {
        Self(Sha256::new()).bytes(label.as_bytes())
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// In microseconds since 1970: PostgreSQL keeps no more.
    pub(crate) fn instant(self, at: DateTime<Utc>) -> Self {
        self.bytes(&at.timestamp_micros().to_be_bytes())
    }

    pub(crate) fn digest(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
