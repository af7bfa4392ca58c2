use auth::PublicKey;
use chrono::{DateTime, Utc};
use types::SiteId;

use super::chain::{Broken, Chain, ORIGIN};
use super::checkpoint::{BadCheckpoint, Mark, Marks, Signed};
use super::entry::Sealed;
use super::export::{End, Export, FORMAT, Line, Manifest};
use super::written::{Unreadable, bytes};

/// What is wrong with an exported file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadExport {
    #[error("is no line of an export: {0}")]
    Syntax(String),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the format is not known")]
    Format,
    #[error("stands in the wrong place")]
    Order,
    #[error("the public key is not one of those that are trusted")]
    Key,
    #[error("belongs to another site")]
    Site,
    #[error("the manifest contradicts itself")]
    Manifest,
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
    #[error("the checkpoint saw nothing of this export")]
    Foreign,
    #[error(transparent)]
    Chain(#[from] Broken),
    #[error("the numbers at the end are not those of the file")]
    Counts,
    #[error("the signature at the end is not of this file")]
    Signature,
    #[error("the file ends before its end")]
    CutShort,
}

/// What an untouched file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    pub site: SiteId,
    pub entries: u64,
    pub first: u64,
    pub last: u64,
    pub exported_at: DateTime<Utc>,
    pub exported_by: String,
    /// The last entry that a checkpoint in the file saw; what comes after it is proved by the file's signature alone.
    pub witnessed: u64,
    pub checkpoints: u64,
    /// What its signatures were verified with.
    pub key: PublicKey,
    /// Whether the key was known beforehand, and not only from the file itself.
    pub key_was_trusted: bool,
}

/// Reads an exported file line by line. Needs nothing but the file, and the key from elsewhere if it is to prove who
/// wrote it.
#[derive(Debug)]
pub(crate) struct Verifier {
    trusted: Vec<PublicKey>,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    Checkpoints(Box<Reading>),
    Entries(Box<Reading>),
    Done(Box<FileReport>),
}

#[derive(Debug)]
struct Reading {
    export: Export,
    key: PublicKey,
    marks: Marks,
    checkpoints: u64,
    chain: Chain,
}

impl Verifier {
    /// Believes the file's own key when `trusted` is empty.
    pub(crate) fn new(trusted: Vec<PublicKey>) -> Self {
        Self { trusted, state: State::Start }
    }

    pub(crate) fn line(&mut self, text: &str) -> Result<(), BadExport> {
        let line = serde_json::from_str(text).map_err(|err| BadExport::Syntax(err.to_string()))?;
        let state = std::mem::replace(&mut self.state, State::Start);
        self.state = match (state, line) {
            (State::Start, Line::Manifest(manifest)) => {
                State::Checkpoints(Box::new(self.begin(&manifest)?))
            }
            (State::Checkpoints(mut reading), Line::Checkpoint(written)) => {
                reading.checkpoint(&written.read()?, &self.trusted)?;
                State::Checkpoints(reading)
            }
            (State::Checkpoints(mut reading), Line::Entry(written)) => {
                reading.chain = reading.start()?;
                reading.entry(&written.read()?)?;
                State::Entries(reading)
            }
            (State::Entries(mut reading), Line::Entry(written)) => {
                reading.entry(&written.read()?)?;
                State::Entries(reading)
            }
            (State::Checkpoints(mut reading), Line::End(end)) => {
                reading.chain = reading.start()?;
                State::Done(Box::new(reading.end(&end, !self.trusted.is_empty())?))
            }
            (State::Entries(reading), Line::End(end)) => {
                State::Done(Box::new(reading.end(&end, !self.trusted.is_empty())?))
            }
            _ => return Err(BadExport::Order),
        };
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<FileReport, BadExport> {
        match self.state {
            State::Done(report) => Ok(*report),
            _ => Err(BadExport::CutShort),
        }
    }

    fn begin(&self, manifest: &Manifest) -> Result<Reading, BadExport> {
        if manifest.format != FORMAT {
            return Err(BadExport::Format);
        }
        let (export, key) = manifest.read()?;
        if !self.trusted.is_empty() && !self.trusted.contains(&key) {
            return Err(BadExport::Key);
        }
        let origin = export.previous_hash == ORIGIN;
        let fits = match export.first {
            0 => export.last == 0 && origin,
            1 => export.last >= 1 && origin,
            first => export.last >= first && !origin,
        };
        if !fits {
            return Err(BadExport::Manifest);
        }
        let chain = Chain::default();
        Ok(Reading { export, key, marks: Marks::new(), checkpoints: 0, chain })
    }
}

impl Reading {
    fn checkpoint(&mut self, signed: &Signed, trusted: &[PublicKey]) -> Result<(), BadExport> {
        let own = [self.key];
        signed.check(if trusted.is_empty() { &own } else { trusted })?;
        let number = signed.checkpoint.number;
        let head = signed.checkpoint.heads.get(&self.export.site).ok_or(BadExport::Foreign)?;
        if head.position < self.export.before().position || head.position > self.export.last {
            return Err(BadExport::Foreign);
        }
        let mark = Mark { hash: head.hash, number };
        if self.marks.entry(head.position).or_insert(mark).hash != head.hash {
            return Err(Broken::Rewritten { at: head.position, number }.into());
        }
        self.checkpoints += 1;
        Ok(())
    }

    /// The chain as it stood before the first entry, against what the checkpoints saw.
    fn start(&self) -> Result<Chain, BadExport> {
        let before = self.export.before();
        match self.marks.get(&before.position) {
            Some(mark) if mark.hash != before.hash => {
                Err(Broken::Rewritten { at: before.position, number: mark.number }.into())
            }
            _ => Ok(Chain::resumed(before, self.marks.clone())),
        }
    }

    fn entry(&mut self, sealed: &Sealed) -> Result<(), BadExport> {
        if sealed.entry.site != self.export.site {
            return Err(BadExport::Site);
        }
        Ok(self.chain.follow(sealed)?)
    }

    fn end(&self, end: &End, key_was_trusted: bool) -> Result<FileReport, BadExport> {
        let (export, head) = (&self.export, self.chain.head());
        let last_hash = bytes("last_hash", &end.last_hash)?;
        let fits = end.entries == export.len()
            && end.checkpoints == self.checkpoints
            && head.position == export.last
            && head.hash == last_hash;
        if !fits {
            return Err(BadExport::Counts);
        }
        self.chain.finish(head)?;
        let signature = bytes("signature", &end.signature)?;
        if !self.key.verifies(&export.digest(last_hash, self.checkpoints), &signature) {
            return Err(BadExport::Signature);
        }
        Ok(FileReport {
            site: export.site,
            entries: end.entries,
            first: export.first,
            last: export.last,
            exported_at: export.exported_at,
            exported_by: export.exported_by.clone(),
            witnessed: self.chain.witnessed(),
            checkpoints: self.checkpoints,
            key: self.key,
            key_was_trusted,
        })
    }
}
