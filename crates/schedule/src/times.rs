//! Local times of a zone, as instants. Pure.

use std::str::FromStr;

use chrono::{DateTime, Days, TimeDelta, Utc};
use cron::Schedule;
use types::{InvalidTime, SiteZone, parse_time};

/// A cron line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line:?} is no cron line with seconds: {problem}")]
pub struct InvalidCron {
    pub line: String,
    pub problem: String,
}

/// Times on a zone's clock and calendar, as instants. A local time the zone skips is the first instant after the gap,
/// and those of one gap are one; of a local time that comes twice it is the first. A date the zone skips whole has none.
///
/// For jobs of several sites, each in its own zone, ask with the zone at hand: one [`Job::every`](crate::Job::every)
/// looks which sites' [`latest`](Self::latest) has passed since it was done for them. After a change of zone the next
/// instant is the new zone's first after the last.
#[derive(Debug, Clone)]
pub struct Times {
    schedule: Box<Schedule>,
    zone: SiteZone,
}

impl Times {
    /// The times of a cron line with seconds: `"0 30 5 * * *"` is 05:30 each day.
    pub fn cron(line: &str, zone: SiteZone) -> Result<Self, InvalidCron> {
        let schedule = Schedule::from_str(line).map_err(|problem| InvalidCron {
            line: line.to_owned(),
            problem: problem.to_string(),
        })?;
        Ok(Self { schedule: Box::new(schedule), zone })
    }

    /// Each day at `HH:MM`; `24:00` is the next day's 00:00.
    ///
    /// # Panics
    /// Never: a time of day makes a cron line.
    pub fn daily(time: &str, zone: SiteZone) -> Result<Self, InvalidTime> {
        let time = if time == "24:00" { "00:00" } else { time };
        let line = parse_time(time)?.format("%-S %-M %-H * * *").to_string();
        Ok(Self::cron(&line, zone).expect("a time of day makes a cron line"))
    }

    /// The cron line they come from.
    pub fn line(&self) -> &str {
        self.schedule.source()
    }

    pub fn zone(&self) -> SiteZone {
        self.zone
    }

    /// The latest one that is not after `now`.
    pub fn latest(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Where the clock was put back and shows a time again, later local times may have passed as well: as many as
        // it was put back by.
        let local = self.local(now);
        let again = now - self.zone.at(local.date_naive(), local.time());
        let from = local + again + TimeDelta::milliseconds(1);
        self.schedule
            .after(&from)
            .rev()
            .find_map(|local| self.instant(local).filter(|it| *it <= now))
    }

    /// The first one after `then`.
    pub fn next(&self, then: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = self.local(then);
        self.schedule.after(&local).find_map(|local| self.instant(local).filter(|it| *it > then))
    }

    /// What the zone's clock shows, as if it were UTC's: the cron line is read on that, which has no gaps.
    fn local(&self, instant: DateTime<Utc>) -> DateTime<Utc> {
        self.zone.date_at(instant).and_time(self.zone.time_at(instant)).and_utc()
    }

    fn instant(&self, local: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let date = local.date_naive();
        let next = date.checked_add_days(Days::new(1))?;
        (self.zone.start_of(date) < self.zone.start_of(next))
            .then(|| self.zone.at(date, local.time()))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
    use proptest::{prop_assert, prop_assert_eq, proptest};
    use types::SiteZone;

    use super::Times;

    const ZONES: [&str; 6] = [
        "Asia/Shanghai",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Casablanca",
        "America/Santiago",
    ];

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> SiteZone {
        SiteZone::parse(name).unwrap()
    }

    fn between(times: &Times, from: &str, to: &str) -> Vec<DateTime<Utc>> {
        let to = at(to);
        std::iter::successors(times.next(at(from)), |it| times.next(*it))
            .take_while(|it| *it < to)
            .collect()
    }

    #[test]
    fn a_cron_line_is_read_in_its_zone() {
        let times = Times::cron("0 30 5 * * *", SiteZone::default()).unwrap();
        assert_eq!(times.latest(at("2026-03-01T21:30:00Z")), Some(at("2026-03-01T21:30:00Z")));
        assert_eq!(times.latest(at("2026-03-01T21:29:59Z")), Some(at("2026-02-28T21:30:00Z")));
        assert_eq!(times.next(at("2026-03-01T21:30:00Z")), Some(at("2026-03-02T21:30:00Z")));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        assert!(Times::cron("every day", SiteZone::default()).is_err());
        for time in ["6:00", "24:01", "25:00", ""] {
            assert!(Times::daily(time, SiteZone::default()).is_err(), "{time}");
        }
    }

    #[test]
    fn a_local_time_that_does_not_exist_is_the_first_instant_after_the_gap() {
        let times = Times::daily("02:30", zone("America/New_York")).unwrap();
        let gap = at("2026-03-08T07:00:00Z");
        let days = between(&times, "2026-03-07T00:00:00Z", "2026-03-10T00:00:00Z");
        assert_eq!(days, [at("2026-03-07T07:30:00Z"), gap, at("2026-03-09T06:30:00Z")]);
        assert_eq!(times.latest(gap), Some(gap));
        // All that fall into one gap are one.
        let often = Times::cron("0 */10 2 * * *", zone("America/New_York")).unwrap();
        assert_eq!(between(&often, "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"), [gap]);
    }

    #[test]
    fn a_local_time_that_exists_twice_comes_once_at_the_first() {
        let times = Times::cron("0 0,45 1 * * *", zone("America/New_York")).unwrap();
        let first = [at("2026-11-01T05:00:00Z"), at("2026-11-01T05:45:00Z")];
        assert_eq!(between(&times, "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"), first);
        // The clock shows 01:10 again, and the 01:45 before it has passed.
        assert_eq!(times.latest(at("2026-11-01T06:10:00Z")), Some(first[1]));
        assert_eq!(times.latest(at("2026-11-01T05:10:00Z")), Some(first[0]));
        // Half an hour is put back at Lord Howe.
        let times = Times::daily("01:45", zone("Australia/Lord_Howe")).unwrap();
        let days = between(&times, "2026-04-03T20:00:00Z", "2026-04-05T20:00:00Z");
        assert_eq!(days, [at("2026-04-04T14:45:00Z"), at("2026-04-05T15:15:00Z")]);
    }

    #[test]
    fn midnight_may_be_written_as_the_end_of_the_day_before() {
        let (end, start) = (
            Times::daily("24:00", SiteZone::default()).unwrap(),
            Times::daily("00:00", SiteZone::default()).unwrap(),
        );
        let now = at("2026-03-02T12:00:00Z");
        assert_eq!(end.next(now), Some(at("2026-03-02T16:00:00Z")));
        assert_eq!((end.next(now), end.latest(now)), (start.next(now), start.latest(now)));
    }

    #[test]
    fn a_day_the_zone_skips_has_no_time() {
        let times = Times::daily("06:00", zone("Pacific/Apia")).unwrap();
        let days = between(&times, "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z");
        assert_eq!(days, [at("2011-12-29T16:00:00Z"), at("2011-12-30T16:00:00Z")]);
        let midnight = Times::daily("24:00", zone("Pacific/Apia")).unwrap();
        let days = between(&midnight, "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z");
        assert_eq!(days, [at("2011-12-30T10:00:00Z"), at("2011-12-31T10:00:00Z")]);
    }

    #[test]
    fn after_a_change_of_zone_the_next_is_the_new_zones_first_after_the_last() {
        let last =
            Times::daily("06:00", SiteZone::default()).unwrap().next(at("2026-03-02T00:00:00Z"));
        assert_eq!(last, Some(at("2026-03-02T22:00:00Z")));
        let moved = Times::daily("06:00", zone("America/New_York")).unwrap();
        assert_eq!(moved.next(last.unwrap()), Some(at("2026-03-03T11:00:00Z")));
    }

    // From a day on that is 1970 in each zone: cron knows no year before.
    proptest! {
        #[test]
        fn each_local_day_that_exists_has_one_slot_and_they_follow_each_other(
            start in 1_i64..20_000, minute in 0_u32..1_440, name in proptest::sample::select(ZONES.to_vec())
        ) {
            let zone = zone(name);
            let time = NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).unwrap();
            let times = Times::daily(&time.format("%H:%M").to_string(), zone).unwrap();
            let first = DateTime::from_timestamp(start * 86_400, 0).unwrap();
            let end = first + TimeDelta::days(400);
            let slots: Vec<DateTime<Utc>> = std::iter::successors(times.next(first), |it| times.next(*it))
                .take_while(|it| *it < end)
                .collect();
            prop_assert!(slots.windows(2).all(|pair| pair[0] < pair[1]));
            let mut expected: Vec<DateTime<Utc>> = (-2..403)
                .map(|day| zone.date_at(first) + TimeDelta::days(day))
                .filter(|date| zone.date_at(zone.start_of(*date)) == *date)
                .map(|date| zone.at(date, time))
                .filter(|it| first < *it && *it < end)
                .collect();
            expected.dedup();
            prop_assert_eq!(&slots, &expected);
            // Looking back finds the same slots as looking ahead.
            for pair in slots.windows(2) {
                prop_assert_eq!(times.latest(pair[0]), Some(pair[0]));
                prop_assert_eq!(times.latest(pair[1] - TimeDelta::microseconds(1)), Some(pair[0]));
            }
        }

        #[test]
        fn any_cron_line_looks_back_as_it_looks_ahead(
            start in 0_i64..1_700_000_000, step in proptest::sample::select(vec![7_u32, 10, 20, 30]),
            name in proptest::sample::select(ZONES.to_vec())
        ) {
            let times = Times::cron(&format!("0 */{step} * * * *"), zone(name)).unwrap();
            let mut slot = times.next(DateTime::from_timestamp(start, 0).unwrap()).unwrap();
            for _ in 0..50 {
                let next = times.next(slot).unwrap();
                prop_assert!(next > slot);
                prop_assert_eq!(times.latest(next - TimeDelta::microseconds(1)), Some(slot));
                slot = next;
            }
        }
    }
}
