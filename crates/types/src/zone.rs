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
