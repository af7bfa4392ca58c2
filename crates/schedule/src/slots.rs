//! Which instants are slots. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use cron::Schedule;

/// Of a cron line's missed slots the latest so many are made good.
const MOST: usize = 100;

#[derive(Debug, Clone)]
pub(crate) enum When {
    Every(TimeDelta),
    Cron(Box<Schedule>, Tz),
    /// An event job: its slots are rows and none comes with time.
    Triggered,
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
            Self::Cron(schedule, zone) => {
                let after = (now + TimeDelta::milliseconds(1)).with_timezone(zone);
                Some(schedule.after(&after).next_back()?.with_timezone(&Utc))
            }
            Self::Triggered => None,
        }
    }

    /// The first slot after `then`.
    pub(crate) fn next(&self, then: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(interval) => self.latest(then)?.checked_add_signed(*interval),
            Self::Cron(schedule, zone) => {
                Some(schedule.after(&then.with_timezone(zone)).next()?.with_timezone(&Utc))
            }
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
        let mut slots: Vec<DateTime<Utc>> =
            std::iter::successors(self.next(last), |slot| self.next(*slot))
                .take_while(|slot| *slot <= latest)
                .collect();
        let skipped = slots.len().saturating_sub(MOST);
        slots.drain(..skipped);
        Due { slots, skipped: u64::try_from(skipped).unwrap_or(u64::MAX) }
    }

    /// How many slots lie strictly between two.
    fn between(&self, last: DateTime<Utc>, latest: DateTime<Utc>) -> u64 {
        let count = match self {
            Self::Every(interval) => {
                let step = interval.num_microseconds().unwrap_or(i64::MAX);
                (latest - last).num_microseconds().unwrap_or(i64::MAX) / step - 1
            }
            Self::Cron(..) => {
                let slots = std::iter::successors(self.next(last), |slot| self.next(*slot));
                i64::try_from(slots.take_while(|slot| *slot < latest).take(100_000).count())
                    .unwrap_or(i64::MAX)
            }
            Self::Triggered => 0,
        };
        u64::try_from(count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use chrono::{DateTime, TimeDelta, Utc};
    use cron::Schedule;

    use super::{Due, When};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn daily() -> When {
        When::Cron(Box::new(Schedule::from_str("0 30 5 * * *").unwrap()), chrono_tz::Asia::Shanghai)
    }

    #[test]
    fn a_cron_line_is_read_in_its_zone() {
        assert_eq!(daily().latest(at("2026-03-01T21:30:00Z")), Some(at("2026-03-01T21:30:00Z")));
        assert_eq!(daily().latest(at("2026-03-01T21:29:59Z")), Some(at("2026-02-28T21:30:00Z")));
        assert_eq!(daily().next(at("2026-03-01T21:30:00Z")), Some(at("2026-03-02T21:30:00Z")));
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
    fn a_job_without_a_past_is_due_at_its_latest_slot() {
        let minutely = When::Every(TimeDelta::minutes(1));
        let due = minutely.due(None, at("2026-03-02T00:10:30Z"), true);
        assert_eq!(due, Due { slots: vec![at("2026-03-02T00:10:00Z")], skipped: 0 });
    }
}
