use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// One reading of a site's roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ReadingId(pub Uuid);

impl ReadingId {
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for ReadingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How much of the roster is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadingKind {
    /// Everybody: who is not there is gone.
    Whole,
    /// What changed since then, on the real-name system's clock. It says nothing of those it does not name.
    Changes { since: DateTime<Utc> },
}

impl ReadingKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "WHOLE",
            Self::Changes { .. } => "CHANGES",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadingEnd {
    Done,
    /// The real-name system gave no whole answer.
    Away,
    /// The answer lacked more people than leave at once.
    Suspect,
    /// Whose people to ask for was not said, and there is more than one site.
    NoProject,
    /// A newer reading began first.
    Overtaken,
    Failed,
}

impl ReadingEnd {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::Away => "AWAY",
            Self::Suspect => "SUSPECT",
            Self::NoProject => "NO_PROJECT",
            Self::Overtaken => "OVERTAKEN",
            Self::Failed => "FAILED",
        }
    }
}

/// What a reading found of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Changed,
    Gone,
}

impl Change {
    const ALL: [Self; 3] = [Self::Added, Self::Changed, Self::Gone];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Changed => "CHANGED",
            Self::Gone => "GONE",
        }
    }
}

impl std::str::FromStr for Change {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|change| change.as_str() == text);
        found.ok_or("is none of ADDED, CHANGED and GONE")
    }
}

/// How often rosters are read without being asked to; site time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rhythm {
    pub every: TimeDelta,
    /// A whole one at least so often: only that finds who is gone without a word.
    pub whole_every: TimeDelta,
}

/// What is known of the readings of one site's roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roster {
    /// Since when the site is there.
    pub made_at: DateTime<Utc>,
    pub tried_at: Option<DateTime<Utc>>,
    pub synced_at: Option<DateTime<Utc>>,
    pub whole_at: Option<DateTime<Utc>>,
    /// On the real-name system's clock; none where it does not say when people changed.
    pub read_up_to: Option<DateTime<Utc>>,
}

impl Roster {
    /// After a reading that failed the next is tried so much later, if it is not due later anyway.
    const AGAIN: TimeDelta = TimeDelta::minutes(5);
    /// The real-name system may date a change a little before it can be seen.
    const OVERLAP: TimeDelta = TimeDelta::minutes(5);

    /// The reading whose time has come. A new site has one interval to be set up before its first.
    pub(crate) fn due(&self, rhythm: Rhythm, now: DateTime<Utc>) -> Option<ReadingKind> {
        let Rhythm { every, whole_every } = rhythm;
        let regular = self.synced_at.unwrap_or(self.made_at) + every;
        let failed = self.tried_at.filter(|tried| self.synced_at.is_none_or(|at| at < *tried));
        let again = failed.map(|tried| tried + every.min(Self::AGAIN));
        if now < again.map_or(regular, |again| again.max(regular)) {
            return None;
        }
        let whole_due = self.whole_at.is_none_or(|at| at + whole_every <= now);
        Some(match self.read_up_to {
            Some(up_to) if !whole_due => ReadingKind::Changes { since: up_to - Self::OVERLAP },
            _ => ReadingKind::Whole,
        })
    }
}

/// Whether what the real-name system lists is a site's: the people of its project, or everybody where it is the only one.
pub(crate) const fn is_of_site(project: &str, others: bool) -> bool {
    !project.is_empty() || !others
}

/// Of so few, more than half may well leave between two readings.
const FEW: usize = 20;

/// Whether a whole roster on which `listed` people were found looks as if data were lost, when of the `held` people a
/// site had `gone` are not on it: a site that most people left at once is less likely.
pub(crate) const fn is_suspect(listed: usize, held: usize, gone: usize) -> bool {
    let emptied = listed == 0 && held > 0;
    emptied || (held > FEW && gone > held / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RHYTHM: Rhythm =
        Rhythm { every: TimeDelta::minutes(30), whole_every: TimeDelta::hours(24) };

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_409_600 + 60 * minutes, 0).unwrap()
    }

    fn read_at(minutes: i64) -> Roster {
        Roster {
            made_at: at(-1000),
            tried_at: Some(at(minutes)),
            synced_at: Some(at(minutes)),
            whole_at: Some(at(minutes)),
            read_up_to: Some(at(-60)),
        }
    }

    #[test]
    fn changes_are_read_each_interval_from_a_little_before_the_last_one_known() {
        assert_eq!(read_at(0).due(RHYTHM, at(29)), None);
        let changes = Some(ReadingKind::Changes { since: at(-65) });
        assert_eq!(read_at(0).due(RHYTHM, at(30)), changes);
    }

    #[test]
    fn a_whole_roster_is_read_once_a_day_and_where_changes_cannot_be_told() {
        let mut roster = read_at(0);
        roster.whole_at = Some(at(-24 * 60 + 31));
        assert!(matches!(roster.due(RHYTHM, at(30)), Some(ReadingKind::Changes { .. })));
        assert_eq!(roster.due(RHYTHM, at(31)), Some(ReadingKind::Whole));
        let undated = Roster { read_up_to: None, ..read_at(0) };
        assert_eq!(undated.due(RHYTHM, at(30)), Some(ReadingKind::Whole));
    }

    #[test]
    fn a_roster_of_nobody_or_of_less_than_half_of_many_is_suspect() {
        for (listed, held, gone, suspect) in [
            (0, 0, 0, false),
            (0, 1, 1, true),
            (1, 20, 19, false),
            (11, 21, 10, false),
            (10, 21, 11, true),
            (50, 100, 50, false),
            (49, 100, 51, true),
            // Another site's roster.
            (200, 100, 100, true),
        ] {
            assert_eq!(is_suspect(listed, held, gone), suspect, "{listed} of {held}, {gone} gone");
        }
    }

    #[test]
    fn everybody_is_of_a_site_only_while_there_is_no_other() {
        assert!(is_of_site("", false) && is_of_site("P1", false) && is_of_site("P1", true));
        assert!(!is_of_site("", true));
    }

    #[test]
    fn a_new_site_is_read_whole_one_interval_after_it_was_made() {
        let new = Roster {
            made_at: at(0),
            tried_at: None,
            synced_at: None,
            whole_at: None,
            read_up_to: None,
        };
        assert_eq!(new.due(RHYTHM, at(29)), None);
        assert_eq!(new.due(RHYTHM, at(30)), Some(ReadingKind::Whole));
    }

    #[test]
    fn after_a_failure_it_waits_five_minutes_and_never_longer_than_the_interval() {
        let failed = Roster { tried_at: Some(at(30)), ..read_at(0) };
        assert_eq!(failed.due(RHYTHM, at(34)), None);
        assert!(failed.due(RHYTHM, at(35)).is_some());
        let often = Rhythm { every: TimeDelta::minutes(1), ..RHYTHM };
        assert!(failed.due(often, at(31)).is_some());
    }
}
