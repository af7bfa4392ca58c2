//! Which instants are slots. Pure.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::times::Times;

/// Of missed slots that are each made good the latest so many are.
const MOST: usize = 100;
/// Missed slots are counted so far.
const COUNTED: usize = 100_000;

#[derive(Debug, Clone)]
pub(crate) enum When {
    Every(TimeDelta),
    At(Times),
    /// An event job: its slots are rows and none comes with time.
    Triggered,
}

/// For people to read.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) if interval.subsec_nanos() == 0 => {
                write!(f, "every {} s", interval.num_seconds())
            }
            Self::Every(interval) => write!(f, "every {} ms", interval.num_milliseconds()),
            Self::At(times) => f.write_str(times.line()),
            Self::Triggered => f.write_str("on event"),
        }
    }
}

/// Slots that are due: those to run, oldest first, and how many before them are skipped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) slots: Vec<DateTime<Utc>>,
    pub(crate) skipped: u64,
}

impl When {
    /// The latest slot that is not after `now`.
    pub(crate) fn latest(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(interval) => {
                let (now, step) = (now.timestamp_micros(), interval.num_microseconds()?);
                DateTime::from_timestamp_micros(now.div_euclid(step) * step)
            }
            Self::At(times) => times.latest(now),
            Self::Triggered => None,
        }
    }

    /// The first slot after `then`.
    pub(crate) fn next(&self, then: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(interval) => self.latest(then)?.checked_add_signed(*interval),
            Self::At(times) => times.next(then),
            Self::Triggered => None,
        }
    }

    /// Slots after `last` up to `now`: the latest alone, where that makes the earlier ones good, or each. Without a
    /// `last` it is the latest one.
    pub(crate) fn due(&self, last: Option<DateTime<Utc>>, now: DateTime<Utc>, each: bool) -> Due {
        let Some(latest) = self.latest(now) else { return Due::default() };
        let Some(last) = last else { return Due { slots: vec![latest], skipped: 0 } };
        if latest <= last {
            return Due::default();
        }
        if !each {
            return Due { slots: vec![latest], skipped: self.between(last, latest) };
        }
        let mut slots = vec![latest];
        // Backwards, so that a long pause costs no more than what is made good of it.
        while slots.len() < MOST {
            let before = slots[slots.len() - 1] - TimeDelta::microseconds(1);
            match self.latest(before) {
                Some(slot) if slot > last => slots.push(slot),
                _ => break,
            }
        }
        slots.reverse();
        let skipped = self.between(last, slots[0]);
        Due { slots, skipped }
    }

    /// How many slots lie strictly between two.
    fn between(&self, last: DateTime<Utc>, latest: DateTime<Utc>) -> u64 {
        let count = match self {
            Self::Every(interval) => {
                let step = interval.num_microseconds().unwrap_or(i64::MAX);
                (latest - last).num_microseconds().unwrap_or(i64::MAX).saturating_sub(1) / step
            }
            Self::At(times) => {
                let slots = std::iter::successors(times.next(last), |slot| times.next(*slot));
                let between = slots.take_while(|slot| *slot < latest).take(COUNTED).count();
                i64::try_from(between).unwrap_or(i64::MAX)
            }
            Self::Triggered => 0,
        };
        u64::try_from(count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use types::SiteZone;

    use super::{Due, MOST, When};
    use crate::times::Times;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn daily() -> When {
        When::At(Times::cron("0 30 5 * * *", SiteZone::default()).unwrap())
    }

    #[test]
    fn each_missed_slot_is_due_oldest_first() {
        let due = daily().due(Some(at("2026-03-01T21:30:00Z")), at("2026-03-04T00:00:00Z"), true);
        assert_eq!(
            due,
            Due { slots: vec![at("2026-03-02T21:30:00Z"), at("2026-03-03T21:30:00Z")], skipped: 0 }
        );
        let due = daily().due(Some(at("2026-03-01T21:30:00Z")), at("2026-03-04T00:00:00Z"), false);
        assert_eq!(due, Due { slots: vec![at("2026-03-03T21:30:00Z")], skipped: 1 });
    }

    #[test]
    fn of_a_very_long_pause_the_latest_hundred_are_due() {
        let minutely = When::Every(TimeDelta::minutes(1));
        let last = at("2026-03-02T00:00:00Z");
        let due = minutely.due(Some(last), last + TimeDelta::minutes(130), true);
        assert_eq!((due.slots.len(), due.skipped), (MOST, 30));
        assert_eq!(due.slots[0], last + TimeDelta::minutes(31));
        let due = daily().due(Some(at("2025-03-01T21:30:00Z")), at("2026-03-01T22:00:00Z"), true);
        assert_eq!((due.slots.len(), due.skipped), (MOST, 265));
    }

    #[test]
    fn an_intervals_missed_slots_become_one() {
        let minutely = When::Every(TimeDelta::minutes(1));
        let due = minutely.due(Some(at("2026-03-02T00:00:00Z")), at("2026-03-02T00:10:30Z"), false);
        assert_eq!(due, Due { slots: vec![at("2026-03-02T00:10:00Z")], skipped: 9 });
        assert_eq!(
            minutely.due(Some(at("2026-03-02T00:10:00Z")), at("2026-03-02T00:10:59Z"), false),
            Due::default()
        );
    }

    #[test]
    fn a_slot_is_due_exactly_at_its_instant_and_not_before() {
        let minutely = When::Every(TimeDelta::minutes(1));
        let (last, slot) = (at("2026-03-02T00:00:00Z"), at("2026-03-02T00:01:00Z"));
        let just_before = slot - TimeDelta::microseconds(1);
        assert_eq!(minutely.due(Some(last), just_before, false), Due::default());
        assert_eq!(minutely.due(Some(last), slot, false), Due { slots: vec![slot], skipped: 0 });
    }

    #[test]
    fn a_job_without_a_past_is_due_at_its_latest_slot() {
        let minutely = When::Every(TimeDelta::minutes(1));
        let due = minutely.due(None, at("2026-03-02T00:10:30Z"), true);
        assert_eq!(due, Due { slots: vec![at("2026-03-02T00:10:00Z")], skipped: 0 });
    }

    #[test]
    fn when_a_job_runs_reads_as_it_was_said() {
        assert_eq!(When::Every(TimeDelta::minutes(1)).to_string(), "every 60 s");
        assert_eq!(When::Every(TimeDelta::milliseconds(1500)).to_string(), "every 1500 ms");
        assert_eq!(daily().to_string(), "0 30 5 * * *");
        assert_eq!(When::Triggered.to_string(), "on event");
    }
}
