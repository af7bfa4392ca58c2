use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use types::{AreaId, DeviceId, SiteId};

use super::{ClockError, Direction, Sequence};

/// Which directions a controller tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Senses {
    Both,
    InOnly,
    None,
}

/// Whether a controller may speak to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    Inactive,
}

/// A text that names none of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is none of {0}")]
pub(crate) struct Unknown(&'static str);

/// A door controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) site: SiteId,
    pub(crate) name: String,
    /// Never empty.
    pub(crate) areas: Vec<AreaId>,
    pub(crate) senses: Senses,
    pub(crate) status: Status,
    pub(crate) firmware: String,
    /// Events it says it still has to report.
    pub(crate) spool: u64,
    pub(crate) last_seen_at: Option<DateTime<Utc>>,
    /// Empty while it is offline.
    pub(crate) online_since: Option<DateTime<Utc>>,
    pub(crate) clock_error: ClockError,
    pub(crate) sequence: Sequence,
    pub(crate) version: u64,
}

/// A controller's sign of life.
#[derive(Debug, Clone)]
pub(crate) struct Heartbeat {
    /// Empty where it does not say.
    pub(crate) firmware: Option<String>,
    pub(crate) time: Option<DateTime<Utc>>,
    pub(crate) spool: u64,
}

/// What a heartbeat changed that others are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Heard {
    CameBack,
    Changed,
    AsBefore,
}

impl Device {
    /// The area its passages are booked on: of several the first.
    pub(crate) fn area(&self) -> Option<AreaId> {
        self.areas.first().copied()
    }

    pub(crate) fn is_online(&self) -> bool {
        self.online_since.is_some()
    }

    /// Takes in a heartbeat. `tolerance` is how far clocks may differ without meaning anything.
    pub(crate) fn heard(
        &mut self,
        beat: Heartbeat,
        now: DateTime<Utc>,
        tolerance: TimeDelta,
    ) -> Heard {
        let firmware = beat.firmware.unwrap_or_else(|| self.firmware.clone());
        let renewed = firmware != self.firmware;
        self.firmware = firmware;
        self.spool = beat.spool;
        if let Some(time) = beat.time {
            self.clock_error = self.clock_error.observe(time, now, tolerance);
        }
        self.seen(now);
        let heard = match self.online_since {
            None => Heard::CameBack,
            Some(_) if renewed => Heard::Changed,
            Some(_) => return Heard::AsBefore,
        };
        self.online_since.get_or_insert(now);
        self.version += 1;
        heard
    }

    /// Any sign of life; a site clock that was set back makes nobody silent.
    pub(crate) fn seen(&mut self, now: DateTime<Utc>) {
        self.last_seen_at = Some(now);
    }

    /// Whether it lets someone through when nobody can decide: only out, where it knows what out is.
    pub(crate) fn fails_open(&self, direction: Direction) -> bool {
        direction == Direction::Out && !self.is_controlled_both_ways()
    }

    /// It knows no direction, so leaving looks like entering.
    pub(crate) fn is_controlled_both_ways(&self) -> bool {
        self.senses == Senses::None
    }
}

impl Senses {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::InOnly => "in_only",
            Self::None => "none",
        }
    }
}

impl FromStr for Senses {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        match text {
            "both" => Ok(Self::Both),
            "in_only" => Ok(Self::InOnly),
            "none" => Ok(Self::None),
            _ => Err(Unknown("both, in_only, none")),
        }
    }
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

impl FromStr for Status {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "INACTIVE" => Ok(Self::Inactive),
            _ => Err(Unknown("ACTIVE, INACTIVE")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: TimeDelta = TimeDelta::seconds(2);

    fn now() -> DateTime<Utc> {
        "2026-03-02T08:00:00Z".parse().unwrap()
    }

    fn device(senses: Senses) -> Device {
        Device {
            id: DeviceId::parse("dev_01").unwrap(),
            site: SiteId::new(),
            name: "北门".to_owned(),
            areas: vec![AreaId::new()],
            senses,
            status: Status::Active,
            firmware: String::new(),
            spool: 0,
            last_seen_at: None,
            online_since: None,
            clock_error: ClockError::none(),
            sequence: Sequence::default(),
            version: 1,
        }
    }

    fn beat(firmware: &str) -> Heartbeat {
        Heartbeat { firmware: Some(firmware.to_owned()), time: None, spool: 0 }
    }

    #[test]
    fn the_first_heartbeat_brings_it_online_and_the_next_changes_nothing() {
        let mut device = device(Senses::Both);
        assert_eq!(device.heard(beat("1.0"), now(), TOLERANCE), Heard::CameBack);
        let later = now() + TimeDelta::minutes(1);
        assert_eq!(device.heard(beat("1.0"), later, TOLERANCE), Heard::AsBefore);
        assert_eq!((device.online_since, device.last_seen_at), (Some(now()), Some(later)));
        assert_eq!(device.heard(beat("1.1"), later, TOLERANCE), Heard::Changed);
        assert_eq!(device.version, 3);
    }

    #[test]
    fn only_leaving_fails_open_and_only_where_the_door_knows_what_leaving_is() {
        for (senses, out) in [(Senses::Both, true), (Senses::InOnly, true), (Senses::None, false)] {
            assert_eq!(device(senses).fails_open(Direction::Out), out);
            assert!(!device(senses).fails_open(Direction::In));
        }
    }

    #[test]
    fn words_read_back_as_they_were_written() {
        for senses in [Senses::Both, Senses::InOnly, Senses::None] {
            assert_eq!(senses.as_str().parse(), Ok(senses));
        }
        for status in [Status::Active, Status::Inactive] {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("BOTH".parse::<Senses>().is_err() && "active".parse::<Status>().is_err());
    }
}
