use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that names no IANA time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IANA time zone")]
pub struct InvalidZone;

/// A site's time zone; turns its dates and times of day into instants and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SiteZone(Tz);

impl Default for SiteZone {
    /// `Asia/Shanghai`, what a site gets that names none.
    fn default() -> Self {
        Self(Tz::Asia__Shanghai)
    }
}

impl SiteZone {
    /// Takes an IANA name such as `Asia/Shanghai`.
    pub fn parse(name: &str) -> Result<Self, InvalidZone> {
        name.parse().map(Self).map_err(|_| InvalidZone)
    }

    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The date on the site's calendar at that instant.
    pub fn date_at(self, instant: DateTime<Utc>) -> NaiveDate {
        instant.with_timezone(&self.0).date_naive()
    }

    /// The time of day on the site's clock at that instant.
    pub fn time_at(self, instant: DateTime<Utc>) -> NaiveTime {
        instant.with_timezone(&self.0).time()
    }

    /// The instant of a local time: the earlier where it comes twice, the first valid one after where it is skipped.
    pub fn at(self, date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
        self.earliest(date.and_time(time))
    }

    /// As [`Self::at`], but the later where the local time comes twice: for ends.
    pub fn at_latest(self, date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
        self.latest(date.and_time(time))
    }

    /// The first instant of a date; not always local midnight.
    pub fn start_of(self, date: NaiveDate) -> DateTime<Utc> {
        self.at(date, NaiveTime::MIN)
    }

    fn earliest(self, local: NaiveDateTime) -> DateTime<Utc> {
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(instant) | MappedLocalTime::Ambiguous(instant, _) => {
                instant.with_timezone(&Utc)
            }
            MappedLocalTime::None => self.after_gap(local),
        }
    }

    fn latest(self, local: NaiveDateTime) -> DateTime<Utc> {
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(instant) | MappedLocalTime::Ambiguous(_, instant) => {
                instant.with_timezone(&Utc)
            }
            MappedLocalTime::None => self.after_gap(local),
        }
    }

    /// The instant the clocks were put forward over `local`, by halving: no zone is further from UTC than a day.
    fn after_gap(self, local: NaiveDateTime) -> DateTime<Utc> {
        let (mut before, mut after) =
            (local.and_utc() - TimeDelta::days(1), local.and_utc() + TimeDelta::days(1));
        while after - before > TimeDelta::seconds(1) {
            let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
            if middle.with_timezone(&self.0).naive_local() < local {
                before = middle;
            } else {
                after = middle;
            }
        }
        after
    }
}

impl fmt::Display for SiteZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SiteZone {
    type Err = InvalidZone;

    fn from_str(name: &str) -> Result<Self, InvalidZone> {
        Self::parse(name)
    }
}

impl Serialize for SiteZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for SiteZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidZone, SiteZone};
    use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
    use proptest::{prop_assert, prop_assert_eq, proptest};

    fn new_york() -> SiteZone {
        SiteZone::parse("America/New_York").unwrap()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn time(text: &str) -> NaiveTime {
        crate::parse_time(text).unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_zone_is_an_iana_name_and_reads_back_as_it_was_written() {
        let zone = SiteZone::parse("Asia/Shanghai").unwrap();
        assert_eq!(zone, SiteZone::default());
        assert_eq!(serde_json::to_string(&zone).unwrap(), "\"Asia/Shanghai\"");
        assert_eq!(serde_json::from_str::<SiteZone>("\"Asia/Shanghai\"").unwrap(), zone);
        for name in ["", "Shanghai", "Asia/Nowhere", "+08:00"] {
            assert_eq!(SiteZone::parse(name), Err(InvalidZone), "{name}");
        }
    }

    #[test]
    fn the_date_is_the_site_s_and_not_utc_s() {
        let late = utc("2026-03-01T16:00:00Z");
        assert_eq!(SiteZone::default().date_at(late), date("2026-03-02"));
        assert_eq!(SiteZone::default().time_at(late), time("00:00"));
        assert_eq!(SiteZone::default().date_at(late - TimeDelta::seconds(1)), date("2026-03-01"));
        assert_eq!(SiteZone::default().start_of(date("2026-03-02")), late);
    }

    #[test]
    fn a_skipped_local_time_is_the_first_valid_instant_after_it() {
        let clocks_go_forward = utc("2026-03-08T07:00:00Z");
        for skipped in ["02:00", "02:30", "02:59", "03:00"] {
            assert_eq!(
                new_york().at(date("2026-03-08"), time(skipped)),
                clocks_go_forward,
                "{skipped}"
            );
            assert_eq!(
                new_york().at_latest(date("2026-03-08"), time(skipped)),
                clocks_go_forward,
                "{skipped}"
            );
        }
        assert_eq!(
            new_york().at(date("2026-03-08"), time("01:59")),
            clocks_go_forward - TimeDelta::minutes(1)
        );
    }

    #[test]
    fn a_local_time_that_comes_twice_is_the_earlier_or_for_ends_the_later() {
        assert_eq!(new_york().at(date("2026-11-01"), time("01:30")), utc("2026-11-01T05:30:00Z"));
        assert_eq!(
            new_york().at_latest(date("2026-11-01"), time("01:30")),
            utc("2026-11-01T06:30:00Z")
        );
    }

    #[test]
    fn a_date_may_start_after_midnight_or_be_skipped_whole() {
        let santiago = SiteZone::parse("America/Santiago").unwrap();
        assert_eq!(santiago.start_of(date("2025-09-07")), utc("2025-09-07T04:00:00Z"));
        assert_eq!(santiago.time_at(utc("2025-09-07T04:00:00Z")), time("01:00"));
        let apia = SiteZone::parse("Pacific/Apia").unwrap();
        assert_eq!(apia.start_of(date("2011-12-30")), apia.start_of(date("2011-12-31")));
    }

    proptest! {
        #[test]
        fn the_instant_of_a_local_time_reads_as_that_time_or_the_next_valid_one(
            day in 0_i64..40_000, minute in 0_i64..1_440, name in proptest::sample::select(vec![
                "Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca",
            ])
        ) {
            let zone = SiteZone::parse(name).unwrap();
            let wanted = date("1970-01-01").and_time(NaiveTime::MIN) + TimeDelta::minutes(day * 1_440 + minute);
            let (earliest, latest) = (zone.at(wanted.date(), wanted.time()), zone.at_latest(wanted.date(), wanted.time()));
            prop_assert!(earliest <= latest);
            let read = zone.date_at(earliest).and_time(zone.time_at(earliest));
            prop_assert!(read >= wanted);
            let just_before = earliest - TimeDelta::seconds(1);
            prop_assert!(zone.date_at(just_before).and_time(zone.time_at(just_before)) < wanted);
            if read > wanted {
                prop_assert_eq!(earliest, latest);
            }
        }
    }
}
