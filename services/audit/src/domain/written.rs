//! How checkpoints and exported entries stand in files, as JSON. `docs/audit-export.md` describes it for others.

use std::collections::BTreeMap;

use auth::PublicKey;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use types::{EventId, SiteId};

use super::chain::Head;
use super::checkpoint::{Checkpoint, Signed};
use super::entry::{Entry, Sealed};

/// Text that is not what it should be; says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreadable(String);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenCheckpoint {
    number: u64,
    at: String,
    previous: String,
    whole: bool,
    heads: Vec<WrittenHead>,
    key: String,
    signature: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHead {
    site_id: String,
    position: u64,
    hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenEntry {
    site_id: String,
    position: u64,
    event_id: String,
    event_type: String,
    actor: String,
    role: String,
    action: String,
    target_type: String,
    target_id: String,
    before: String,
    after: String,
    reason: String,
    address: String,
    trace_id: String,
    at: String,
    previous_hash: String,
    hash: String,
}

impl From<&Signed> for WrittenCheckpoint {
    fn from(signed: &Signed) -> Self {
        let Checkpoint { number, at, previous, whole, heads } = &signed.checkpoint;
        let heads = heads.iter().map(|(site, head)| WrittenHead {
            site_id: site.to_string(),
            position: head.position,
            hash: hex::encode(head.hash),
        });
        Self {
            number: *number,
            at: instant(*at),
            previous: hex::encode(previous),
            whole: *whole,
            heads: heads.collect(),
            key: signed.key.to_string(),
            signature: hex::encode(signed.signature),
        }
    }
}

impl WrittenCheckpoint {
    pub(crate) fn read(self) -> Result<Signed, Unreadable> {
        let mut heads = BTreeMap::new();
        for head in &self.heads {
            let site = parsed::<SiteId>("site_id", &head.site_id)?;
            let hash = bytes("hash", &head.hash)?;
            if heads.insert(site, Head { position: head.position, hash }).is_some() {
                return Err(Unreadable(format!("site {site} stands in it twice")));
            }
        }
        let checkpoint = Checkpoint {
            number: self.number,
            at: parsed("at", &self.at)?,
            previous: bytes("previous", &self.previous)?,
            whole: self.whole,
            heads,
        };
        let key = parsed::<PublicKey>("key", &self.key)?;
        Ok(Signed { checkpoint, key, signature: bytes("signature", &self.signature)? })
    }

    /// A checkpoint's file.
    pub(crate) fn from_file(text: &[u8]) -> Result<Self, Unreadable> {
        serde_json::from_slice(text).map_err(|err| Unreadable(err.to_string()))
    }

    pub(crate) fn to_file(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).expect("texts and numbers are JSON");
        text.push(b'\n');
        text
    }
}

impl From<&Sealed> for WrittenEntry {
    fn from(sealed: &Sealed) -> Self {
        let Sealed { entry, position, previous_hash, hash } = sealed;
        Self {
            site_id: entry.site.to_string(),
            position: *position,
            event_id: entry.event_id.to_string(),
            event_type: entry.event_type.clone(),
            actor: entry.actor.clone(),
            role: entry.role.clone(),
            action: entry.action.clone(),
            target_type: entry.target_type.clone(),
            target_id: entry.target_id.clone(),
            before: entry.before.clone(),
            after: entry.after.clone(),
            reason: entry.reason.clone(),
            address: entry.address.clone(),
            trace_id: entry.trace_id.clone(),
            at: instant(entry.at),
            previous_hash: hex::encode(previous_hash),
            hash: hex::encode(hash),
        }
    }
}

impl WrittenEntry {
    pub(crate) fn read(self) -> Result<Sealed, Unreadable> {
        Ok(Sealed {
            position: self.position,
            previous_hash: bytes("previous_hash", &self.previous_hash)?,
            hash: bytes("hash", &self.hash)?,
            entry: Entry {
                site: parsed("site_id", &self.site_id)?,
                event_id: parsed::<EventId>("event_id", &self.event_id)?,
                event_type: self.event_type,
                actor: self.actor,
                role: self.role,
                action: self.action,
                target_type: self.target_type,
                target_id: self.target_id,
                before: self.before,
                after: self.after,
                reason: self.reason,
                address: self.address,
                trace_id: self.trace_id,
                at: parsed("at", &self.at)?,
            },
        })
    }
}

/// With the microseconds that are hashed.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

pub(crate) fn bytes<const N: usize>(field: &str, text: &str) -> Result<[u8; N], Unreadable> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| Unreadable(format!("{field} is not {} hexadecimal digits", N * 2)))?;
    Ok(bytes)
}

pub(crate) fn parsed<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|_| Unreadable(format!("{field} cannot be read")))
}

#[cfg(test)]
mod tests {
    use auth::Signer;
    use types::SiteId;

    use super::{Checkpoint, Head, Signed, WrittenCheckpoint};
    use crate::domain::chain::ORIGIN;

    fn signed() -> Signed {
        let at = "2026-03-02T00:00:00.123456Z".parse().unwrap();
        let heads = [(SiteId::new(), Head { position: 3, hash: [5; 32] })].into();
        Checkpoint { number: 1, at, previous: ORIGIN, whole: true, heads }
            .sign(&Signer::from_root(&[7; 32], "checkpoints").unwrap())
    }

    #[test]
    fn a_checkpoint_reads_back_as_it_was_written() {
        let file = WrittenCheckpoint::from(&signed()).to_file();
        let read = WrittenCheckpoint::from_file(&file).unwrap().read().unwrap();
        assert_eq!(WrittenCheckpoint::from(&read).to_file(), file);
        assert_eq!(read.check(&[read.key]), Ok(()));
    }

    #[test]
    fn what_is_no_checkpoint_says_why() {
        let good = String::from_utf8(WrittenCheckpoint::from(&signed()).to_file()).unwrap();
        let read = |text: &str| WrittenCheckpoint::from_file(text.as_bytes())?.read();
        assert!(read("").is_err());
        assert!(read(&good.replace("\"whole\":true,", "\"whole\":true,\"more\":1,")).is_err());
        let odd = read(&good.replace("\"previous\":\"00", "\"previous\":\"zz")).unwrap_err();
        assert_eq!(odd.to_string(), "previous is not 64 hexadecimal digits");
    }
}
