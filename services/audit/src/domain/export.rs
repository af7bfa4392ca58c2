//! A part of one chain as a file that proves itself: a line of JSON for what it is, one for each checkpoint that saw
//! it, one for each entry, and one for its end.

use auth::{PublicKey, Signer};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use types::SiteId;

use super::chain::Head;
use super::checkpoint::Signed;
use super::entry::Sealed;
use super::frame::Frame;
use super::written::{Unreadable, WrittenCheckpoint, WrittenEntry, bytes, instant, parsed};

pub(crate) const FORMAT: &str = "sitepass audit export 1";

/// What an export is of. `first` is 0 where nothing matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) site: SiteId,
    pub(crate) first: u64,
    /// The hash of the entry before the first.
    pub(crate) previous_hash: [u8; 32],
    pub(crate) last: u64,
    /// What was asked for; the entries between the first and the last that match stand in it whole.
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
    pub(crate) exported_at: DateTime<Utc>,
    pub(crate) exported_by: String,
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    Manifest(Manifest),
    Checkpoint(WrittenCheckpoint),
    Entry(Box<WrittenEntry>),
    End(End),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(super) format: String,
    site_id: String,
    first: u64,
    previous_hash: String,
    last: u64,
    from: String,
    to: String,
    exported_at: String,
    exported_by: String,
    pub(super) public_key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    pub(super) entries: u64,
    pub(super) checkpoints: u64,
    pub(super) last_hash: String,
    pub(super) signature: String,
}

impl Export {
    pub(crate) fn manifest(&self, signer: &Signer) -> Line {
        Line::Manifest(Manifest {
            format: FORMAT.to_owned(),
            site_id: self.site.to_string(),
            first: self.first,
            previous_hash: hex::encode(self.previous_hash),
            last: self.last,
            from: self.from.map(instant).unwrap_or_default(),
            to: self.to.map(instant).unwrap_or_default(),
            exported_at: instant(self.exported_at),
            exported_by: self.exported_by.clone(),
            public_key: signer.public_key().to_string(),
        })
    }

    pub(crate) fn end(&self, last_hash: [u8; 32], checkpoints: u64, signer: &Signer) -> Line {
        Line::End(End {
            entries: self.len(),
            checkpoints,
            last_hash: hex::encode(last_hash),
            signature: hex::encode(signer.sign(&self.digest(last_hash, checkpoints))),
        })
    }

    /// How many entries it holds.
    pub(crate) fn len(&self) -> u64 {
        if self.first == 0 { 0 } else { self.last - self.first + 1 }
    }

    /// Where the chain stood before the first entry.
    pub(crate) fn before(&self) -> Head {
        Head { position: self.first.saturating_sub(1), hash: self.previous_hash }
    }

    /// What the end signs: all of the manifest but the key, and what came of it.
    pub(crate) fn digest(&self, last_hash: [u8; 32], checkpoints: u64) -> [u8; 32] {
        Frame::new(FORMAT)
            .bytes(self.site.as_uuid().as_bytes())
            .number(self.first)
            .bytes(&self.previous_hash)
            .number(self.last)
            .bytes(&last_hash)
            .text(&self.from.map(instant).unwrap_or_default())
            .text(&self.to.map(instant).unwrap_or_default())
            .instant(self.exported_at)
            .text(&self.exported_by)
            .number(checkpoints)
            .digest()
    }
}

impl Manifest {
    pub(super) fn read(&self) -> Result<(Export, PublicKey), Unreadable> {
        let optional = |field: &str, text: &str| {
            if text.is_empty() { Ok(None) } else { parsed(field, text).map(Some) }
        };
        let export = Export {
            site: parsed("site_id", &self.site_id)?,
            first: self.first,
            previous_hash: bytes("previous_hash", &self.previous_hash)?,
            last: self.last,
            from: optional("from", &self.from)?,
            to: optional("to", &self.to)?,
            exported_at: parsed("exported_at", &self.exported_at)?,
            exported_by: self.exported_by.clone(),
        };
        Ok((export, parsed("public_key", &self.public_key)?))
    }
}

impl Line {
    pub(crate) fn entry(sealed: &Sealed) -> Self {
        Self::Entry(Box::new(sealed.into()))
    }

    pub(crate) fn checkpoint(signed: &Signed) -> Self {
        Self::Checkpoint(signed.into())
    }

    /// With the line break behind it.
    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        serde_json::to_writer(&mut *into, self).expect("texts and numbers are JSON");
        into.push(b'\n');
    }
}
