use types::SiteId;

use super::checkpoint::Marks;
use super::entry::{Entry, Sealed};

/// The hash before the first entry.
pub(crate) const ORIGIN: [u8; 32] = [0; 32];

/// The last entry's place and hash; the origin while there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) position: u64,
    pub(crate) hash: [u8; 32],
}

impl Default for Head {
    fn default() -> Self {
        Self { position: 0, hash: ORIGIN }
    }
}

impl Head {
    /// Puts an entry behind this head.
    pub(crate) fn seal(self, entry: Entry) -> Sealed {
        let position = self.position + 1;
        let hash = entry.hash(position, &self.hash);
        Sealed { entry, position, previous_hash: self.hash, hash }
    }

    /// Whether a place is one of this head's chain. An entry that stands elsewhere was never sealed.
    pub(crate) fn holds(self, at: u64) -> Result<(), Broken> {
        let held = (1..=self.position).contains(&at);
        held.then_some(()).ok_or(Broken::Stray { at, head: self.position })
    }
}

/// The first place that does not fit, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("entry {at} is missing or out of place")]
    Gap { at: u64 },
    #[error("entry {at} does not follow the entry before it")]
    Link { at: u64 },
    #[error("entry {at} was altered")]
    Altered { at: u64 },
    #[error("the log ends at {at}, its head is at {head}")]
    Tail { at: u64, head: u64 },
    #[error("entry {at} lies outside the log, whose head is at {head}")]
    Stray { at: u64, head: u64 },
    #[error("the head's hash is not that of entry {at}")]
    Head { at: u64 },
    #[error("entry {at} is not the one that checkpoint {number} saw there")]
    Rewritten { at: u64, number: u64 },
    #[error("the log ends at {at}, checkpoint {number} saw entry {seen}")]
    Cut { at: u64, number: u64, seen: u64 },
}

impl Broken {
    pub(crate) fn at(&self) -> u64 {
        match self {
            Self::Gap { at }
            | Self::Link { at }
            | Self::Altered { at }
            | Self::Tail { at, .. }
            | Self::Stray { at, .. }
            | Self::Rewritten { at, .. }
            | Self::Cut { at, .. }
            | Self::Head { at } => *at,
        }
    }
}

/// What a walk along one site's chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// The nil id for what belongs to no site.
    pub site: SiteId,
    pub entries: u64,
    pub head_hash: String,
    /// The last entry that a checkpoint saw; 0 while none saw any.
    pub witnessed: u64,
    /// The first place that does not fit, and why.
    pub broken: Option<(u64, String)>,
}

/// Walks a chain; feed it every entry in order, then ask it to finish.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    head: Head,
    marks: Marks,
}

impl Chain {
    /// From its origin, against what checkpoints saw.
    pub(crate) fn against(marks: Marks) -> Self {
        Self::resumed(Head::default(), marks)
    }

    /// From where it is known to have been; a mark right there must agree.
    pub(crate) fn resumed(head: Head, marks: Marks) -> Self {
        Self { head, marks }
    }

    /// The last place that a checkpoint saw.
    pub(crate) fn witnessed(&self) -> u64 {
        self.marks.last_key_value().map_or(0, |(position, _)| *position)
    }

    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// Takes the next entry, or says what is wrong with it.
    pub(crate) fn follow(&mut self, sealed: &Sealed) -> Result<(), Broken> {
        let at = self.head.position + 1;
        if sealed.position != at {
            return Err(Broken::Gap { at });
        }
        if sealed.previous_hash != self.head.hash {
            return Err(Broken::Link { at });
        }
        if sealed.entry.hash(at, &self.head.hash) != sealed.hash {
            return Err(Broken::Altered { at });
        }
        if let Some(mark) = self.marks.get(&at)
            && mark.hash != sealed.hash
        {
            return Err(Broken::Rewritten { at, number: mark.number });
        }
        self.head = Head { position: at, hash: sealed.hash };
        Ok(())
    }

    /// Compares the end with the head that was kept beside the log: a cut tail shows here.
    pub(crate) fn finish(&self, kept: Head) -> Result<(), Broken> {
        if let Some((seen, mark)) = self.marks.last_key_value()
            && *seen > self.head.position
        {
            let (at, number, seen) = (self.head.position, mark.number, *seen);
            return Err(Broken::Cut { at, number, seen });
        }
        if self.head.position != kept.position {
            return Err(Broken::Tail { at: self.head.position, head: kept.position });
        }
        if self.head.hash != kept.hash {
            return Err(Broken::Head { at: kept.position });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use types::{EventId, SiteId};

    use super::{Broken, Chain, Entry, Head, Marks, Sealed};
    use crate::domain::checkpoint::Mark;

    fn entry(actor: &str, action: &str) -> Entry {
        Entry {
            site: SiteId::new(),
            event_id: EventId::new(),
            event_type: "sitepass.ticket.v1.CommandAudited".to_owned(),
            actor: actor.to_owned(),
            role: "SysAdmin".to_owned(),
            action: action.to_owned(),
            target_type: "work_ticket".to_owned(),
            target_id: "t".to_owned(),
            before: String::new(),
            after: "{}".to_owned(),
            reason: "rain".to_owned(),
            address: String::new(),
            trace_id: String::new(),
            at: DateTime::UNIX_EPOCH,
        }
    }

    fn log(length: u8) -> (Vec<Sealed>, Head) {
        let mut head = Head::default();
        let mut log = Vec::new();
        for number in 0..length {
            let sealed = head.seal(entry("account:a", &format!("act.{number}")));
            head = Head { position: sealed.position, hash: sealed.hash };
            log.push(sealed);
        }
        (log, head)
    }

    fn verify(log: &[Sealed], kept: Head) -> Result<(), Broken> {
        let mut chain = Chain::default();
        log.iter().try_for_each(|sealed| chain.follow(sealed))?;
        chain.finish(kept)
    }

    #[test]
    fn an_untouched_log_is_intact() {
        let (log, head) = log(5);
        assert_eq!(verify(&log, head), Ok(()));
        assert_eq!(verify(&[], Head::default()), Ok(()));
    }

    #[test]
    fn an_altered_entry_is_found() {
        let (mut log, head) = log(5);
        "sun".clone_into(&mut log[2].entry.reason);
        assert_eq!(verify(&log, head), Err(Broken::Altered { at: 3 }));
    }

    #[test]
    fn an_altered_entry_with_its_hash_made_anew_is_found_at_the_next() {
        let (mut log, head) = log(5);
        "sun".clone_into(&mut log[2].entry.reason);
        let previous = log[2].previous_hash;
        log[2].hash = log[2].entry.hash(3, &previous);
        assert_eq!(verify(&log, head), Err(Broken::Link { at: 4 }));
    }

    #[test]
    fn a_deleted_an_inserted_and_a_swapped_entry_are_found() {
        let (original, head) = log(5);
        let mut deleted = original.clone();
        deleted.remove(1);
        assert_eq!(verify(&deleted, head), Err(Broken::Gap { at: 2 }));
        let mut inserted = original.clone();
        inserted.insert(2, original[1].clone());
        assert_eq!(verify(&inserted, head), Err(Broken::Gap { at: 3 }));
        let mut swapped = original;
        swapped.swap(1, 3);
        assert_eq!(verify(&swapped, head), Err(Broken::Gap { at: 2 }));
    }

    #[test]
    fn a_cut_tail_is_found_by_the_kept_head() {
        let (mut log, head) = log(5);
        log.truncate(3);
        assert_eq!(verify(&log, head), Err(Broken::Tail { at: 3, head: 5 }));
    }

    #[test]
    fn a_fork_whose_hashes_all_fit_is_found_by_what_a_checkpoint_saw() {
        let (log, _) = log(5);
        let marks = Marks::from([(4, Mark { hash: log[3].hash, number: 7 })]);
        let mut head = Head::default();
        let forged: Vec<Sealed> = log
            .iter()
            .map(|sealed| {
                let mut entry = sealed.entry.clone();
                if sealed.position == 2 {
                    "sun".clone_into(&mut entry.reason);
                }
                let sealed = head.seal(entry);
                head = Head { position: sealed.position, hash: sealed.hash };
                sealed
            })
            .collect();
        assert_eq!(verify(&forged, head), Ok(()));
        let mut chain = Chain::against(marks.clone());
        let found = forged.iter().try_for_each(|sealed| chain.follow(sealed));
        assert_eq!(found, Err(Broken::Rewritten { at: 4, number: 7 }));
        let mut chain = Chain::against(marks);
        log[..3].iter().try_for_each(|sealed| chain.follow(sealed)).unwrap();
        let kept = chain.head();
        assert_eq!(chain.finish(kept), Err(Broken::Cut { at: 3, number: 7, seen: 4 }));
    }

    #[test]
    fn text_cannot_be_moved_between_fields() {
        let (one, other) =
            (entry("account:ab", "c"), Entry { site: SiteId::new(), ..entry("account:a", "bc") });
        let other = Entry { site: one.site, event_id: one.event_id, ..other };
        assert_ne!(one.hash(1, &[0; 32]), other.hash(1, &[0; 32]));
    }
}
