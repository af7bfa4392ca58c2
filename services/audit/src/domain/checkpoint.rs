use std::collections::BTreeMap;

use auth::{PublicKey, Signer};
use chrono::{DateTime, Utc};
use types::SiteId;

use super::chain::{Head, ORIGIN};
use super::frame::Frame;

/// Every so many checkpoints one holds every chain, the first of them too, so that a reader need not go back to the first.
pub(crate) const WHOLE_EVERY: u64 = 60;

/// The heads of the chains at one moment, to be kept where whoever may write the database may not. Checkpoints are a
/// chain themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// From 1, without gaps.
    pub(crate) number: u64,
    /// The system's time.
    pub(crate) at: DateTime<Utc>,
    /// The hash of the checkpoint before it; the origin for the first.
    pub(crate) previous: [u8; 32],
    /// Whether every chain is in it, and not only those that grew since the one before.
    pub(crate) whole: bool,
    pub(crate) heads: BTreeMap<SiteId, Head>,
}

impl Checkpoint {
    /// What is signed, and what the next checkpoint names.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let frame = Frame::new("sitepass audit checkpoint 1")
            .number(self.number)
            .instant(self.at)
            .bytes(&self.previous)
            .number(u64::from(self.whole));
        let heads = self.heads.iter().fold(frame, |frame, (site, head)| {
            frame.bytes(site.as_uuid().as_bytes()).number(head.position).bytes(&head.hash)
        });
        heads.digest()
    }

    /// How far it saw a chain: not at all where all are in it but that one. `None` where it does not say.
    pub(crate) fn saw(&self, site: SiteId) -> Option<u64> {
        let named = self.heads.get(&site).map(|head| head.position);
        named.or(self.whole.then_some(0))
    }

    pub(crate) fn sign(self, signer: &Signer) -> Signed {
        let signature = signer.sign(&self.hash());
        Signed { checkpoint: self, key: signer.public_key(), signature }
    }
}

/// A checkpoint, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) key: PublicKey,
    pub(crate) signature: [u8; 64],
}

impl Signed {
    /// Whether the signature is that of its key, and the key one of `trusted`.
    pub(crate) fn check(&self, trusted: &[PublicKey]) -> Result<(), BadCheckpoint> {
        let number = self.checkpoint.number;
        if !trusted.contains(&self.key) {
            return Err(BadCheckpoint::Key { number });
        }
        if !self.key.verifies(&self.checkpoint.hash(), &self.signature) {
            return Err(BadCheckpoint::Signature { number });
        }
        Ok(())
    }
}

/// What is wrong with a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadCheckpoint {
    #[error("checkpoint {number} is missing")]
    Missing { number: u64 },
    #[error("checkpoint {number} does not follow the one before it")]
    Link { number: u64 },
    #[error("checkpoint {number} was altered: its signature is not of its content")]
    Signature { number: u64 },
    #[error("checkpoint {number} is signed with a key that is not trusted")]
    Key { number: u64 },
    #[error("checkpoint {number} takes a chain back")]
    Back { number: u64 },
    #[error("checkpoint {number} cannot be read")]
    Unreadable { number: u64 },
}

/// What a checkpoint saw of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) hash: [u8; 32],
    /// The first checkpoint that saw it.
    pub(crate) number: u64,
}

/// What checkpoints saw of one chain, by position.
pub(crate) type Marks = BTreeMap<u64, Mark>;

/// Walks checkpoints in order and gathers what they saw. A bad one is remembered and leaves no mark; the walk goes on.
#[derive(Debug)]
pub(crate) struct Trail {
    trusted: Vec<PublicKey>,
    /// The newest good one.
    last: Option<(Checkpoint, [u8; 32])>,
    /// The newest head of each chain.
    heads: BTreeMap<SiteId, Head>,
    marks: BTreeMap<SiteId, Marks>,
    count: u64,
    problem: Option<BadCheckpoint>,
}

impl Trail {
    /// `first` is the number the walk must begin with; any when absent.
    pub(crate) fn new(trusted: Vec<PublicKey>, first: Option<u64>) -> Self {
        let (heads, marks) = (BTreeMap::new(), BTreeMap::new());
        let mut trail = Self { trusted, last: None, heads, marks, count: 0, problem: None };
        if let Some(first) = first {
            trail.last = Some((
                Checkpoint {
                    number: first - 1,
                    at: DateTime::UNIX_EPOCH,
                    previous: ORIGIN,
                    whole: true,
                    heads: BTreeMap::new(),
                },
                ORIGIN,
            ));
        }
        trail
    }

    pub(crate) fn follow(&mut self, signed: &Signed) {
        self.count += 1;
        if let Err(problem) = self.take(signed) {
            self.fail(problem);
        }
    }

    /// Remembers the first problem.
    pub(crate) fn fail(&mut self, problem: BadCheckpoint) {
        self.problem.get_or_insert(problem);
    }

    fn take(&mut self, signed: &Signed) -> Result<(), BadCheckpoint> {
        signed.check(&self.trusted)?;
        let (checkpoint, number) = (&signed.checkpoint, signed.checkpoint.number);
        let follows = match &self.last {
            Some((last, _)) if number != last.number + 1 => {
                Err(BadCheckpoint::Missing { number: last.number + 1 })
            }
            Some((_, hash)) if checkpoint.previous != *hash => Err(BadCheckpoint::Link { number }),
            _ => Ok(()),
        };
        // What it saw counts even where the one before it is gone: it is signed.
        self.last = Some((checkpoint.clone(), checkpoint.hash()));
        let mut back = Ok(());
        for (site, head) in &checkpoint.heads {
            let before = self.heads.insert(*site, *head);
            if before.is_some_and(|before| before.position > head.position) {
                back = Err(BadCheckpoint::Back { number });
            }
            let marks = self.marks.entry(*site).or_default();
            let mark = Mark { hash: head.hash, number };
            if marks.entry(head.position).or_insert(mark).hash != head.hash {
                back = Err(BadCheckpoint::Back { number });
            }
        }
        follows.and(back)
    }

    pub(crate) fn newest(&self) -> Option<&Checkpoint> {
        self.last.as_ref().map(|(checkpoint, _)| checkpoint).filter(|newest| newest.number > 0)
    }

    /// What the newest is known by.
    pub(crate) fn newest_hash(&self) -> Option<[u8; 32]> {
        self.newest()?;
        self.last.as_ref().map(|(_, hash)| *hash)
    }

    /// How each chain was seen last, of those seen at all.
    pub(crate) fn heads(&self) -> &BTreeMap<SiteId, Head> {
        &self.heads
    }

    pub(crate) fn marks(&self, site: SiteId) -> Marks {
        self.marks.get(&site).cloned().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn problem(&self) -> Option<BadCheckpoint> {
        self.problem
    }
}

#[cfg(test)]
mod tests;
