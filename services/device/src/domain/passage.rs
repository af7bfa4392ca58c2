use std::str::FromStr;

use chrono::{DateTime, Datelike, SubsecRound, Utc};
use types::{AreaId, DeviceId, FaceId, PassageId, ReasonCode, SiteId, WorkerId};

/// What PostgreSQL keeps of a second; an event must equal itself when it comes again.
const MICROSECONDS: u16 = 6;
const MAX_REASON_LEN: usize = 64;

/// Which way someone went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// What the door did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Deny,
}

/// Why one reported event cannot be taken; the others of its batch can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("not an event")]
    Malformed,
    #[error("seq is missing or no number from 1 to 9223372036854775807")]
    Seq,
    #[error("event_time is missing or no instant")]
    EventTime,
    #[error("face_id is not 1 to 64 visible ASCII characters")]
    FaceId,
    #[error("direction is neither IN nor OUT")]
    Direction,
    #[error("result is neither PASS nor DENY")]
    Result,
    #[error("reason_code is longer than 64 characters or holds control characters")]
    ReasonCode,
    #[error("sequence reused")]
    SequenceReused,
}

/// What makes an event that event. `seq` is 0 where the vendor gives none; then `delivery` stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) seq: u64,
    pub(crate) delivery: String,
}

impl Key {
    /// The device's own number.
    pub(crate) fn seq(seq: u64) -> Result<Self, Flaw> {
        if seq == 0 || i64::try_from(seq).is_err() {
            return Err(Flaw::Seq);
        }
        Ok(Self { seq, delivery: String::new() })
    }

    /// The place in a webhook's delivery.
    pub(crate) fn delivery(delivery: &str, place: usize) -> Self {
        Self { seq: 0, delivery: format!("{delivery}#{place}") }
    }
}

/// An event as a controller or its vendor wrote it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reported {
    pub(crate) event_time: Option<DateTime<Utc>>,
    pub(crate) face_id: String,
    pub(crate) direction: String,
    pub(crate) result: String,
    pub(crate) reason_code: String,
}

/// An event that can be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) event_time: DateTime<Utc>,
    /// Empty where the door recognised no face.
    pub(crate) face: Option<FaceId>,
    pub(crate) direction: Direction,
    pub(crate) verdict: Verdict,
    /// What the door said; may be empty or unknown.
    pub(crate) reason: String,
}

impl Report {
    pub(crate) fn read(reported: &Reported) -> Result<Self, Flaw> {
        let face = match reported.face_id.as_str() {
            "" => None,
            face => Some(FaceId::parse(face).map_err(|_| Flaw::FaceId)?),
        };
        let reason = &reported.reason_code;
        if reason.chars().count() > MAX_REASON_LEN || reason.chars().any(char::is_control) {
            return Err(Flaw::ReasonCode);
        }
        // A clock that shows another calendar's year is no clock; and no database keeps such an instant.
        let event_time = reported.event_time.filter(|at| (1..=9999).contains(&at.year()));
        Ok(Self {
            event_time: event_time.ok_or(Flaw::EventTime)?.trunc_subsecs(MICROSECONDS),
            face,
            direction: reported.direction.parse()?,
            verdict: reported.result.parse()?,
            reason: reason.clone(),
        })
    }

    /// The reason of a refusal, where the door gave one of ours.
    pub(crate) fn known_reason(&self) -> Option<ReasonCode> {
        match self.verdict {
            Verdict::Pass => None,
            Verdict::Deny => self.reason.parse().ok(),
        }
    }
}

/// Who found a refusal's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The door.
    Reported,
    /// Access-grant, as of the event's time.
    Computed,
}

/// One event at a door, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passage {
    pub(crate) id: PassageId,
    pub(crate) site: SiteId,
    pub(crate) device: DeviceId,
    pub(crate) area: AreaId,
    pub(crate) key: Key,
    pub(crate) report: Report,
    pub(crate) corrected_time: DateTime<Utc>,
    pub(crate) received_at: DateTime<Utc>,
    /// Empty for an unknown face.
    pub(crate) worker: Option<WorkerId>,
    /// Empty for a pass, and for a refusal until it is explained.
    pub(crate) reason: Option<(ReasonCode, Source)>,
    /// One clause of a computed reason.
    pub(crate) detail: String,
}

impl Passage {
    /// Grows by one when a refusal was explained.
    pub(crate) fn version(&self) -> u64 {
        if matches!(self.reason, Some((_, Source::Computed))) { 2 } else { 1 }
    }
}

impl Direction {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::In => "IN",
            Self::Out => "OUT",
        }
    }
}

impl FromStr for Direction {
    type Err = Flaw;

    fn from_str(text: &str) -> Result<Self, Flaw> {
        match text {
            "IN" => Ok(Self::In),
            "OUT" => Ok(Self::Out),
            _ => Err(Flaw::Direction),
        }
    }
}

impl Verdict {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Deny => "DENY",
        }
    }
}

impl FromStr for Verdict {
    type Err = Flaw;

    fn from_str(text: &str) -> Result<Self, Flaw> {
        match text {
            "PASS" => Ok(Self::Pass),
            "DENY" => Ok(Self::Deny),
            _ => Err(Flaw::Result),
        }
    }
}

impl Source {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "REPORTED",
            Self::Computed => "COMPUTED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported() -> Reported {
        Reported {
            event_time: Some("2026-03-02T08:01:02.123456789Z".parse().unwrap()),
            face_id: "face_123".to_owned(),
            direction: "IN".to_owned(),
            result: "DENY".to_owned(),
            reason_code: "SYNC_PENDING".to_owned(),
        }
    }

    #[test]
    fn an_event_keeps_no_more_of_a_second_than_the_database() {
        let report = Report::read(&reported()).unwrap();
        assert_eq!(
            report.event_time,
            "2026-03-02T08:01:02.123456Z".parse::<DateTime<Utc>>().unwrap()
        );
    }

    #[test]
    fn an_event_of_no_year_that_can_be_kept_is_refused() {
        for at in ["-262143-01-02T00:00:00Z", "-4800-01-01T00:00:00Z", "+10000-01-01T00:00:00Z"] {
            let event = Reported { event_time: Some(at.parse().unwrap()), ..reported() };
            assert_eq!(Report::read(&event), Err(Flaw::EventTime), "{at}");
        }
    }

    #[test]
    fn each_bad_field_is_named() {
        type Break = fn(&mut Reported);
        let broken: [(Break, Flaw); 5] = [
            (|event| event.event_time = None, Flaw::EventTime),
            (|event| event.face_id = "a b".to_owned(), Flaw::FaceId),
            (|event| event.direction = "in".to_owned(), Flaw::Direction),
            (|event| event.result = String::new(), Flaw::Result),
            (|event| event.reason_code = "\n".to_owned(), Flaw::ReasonCode),
        ];
        for (change, flaw) in broken {
            let mut event = reported();
            change(&mut event);
            assert_eq!(Report::read(&event), Err(flaw));
        }
        for seq in [0, u64::MAX] {
            assert_eq!(Key::seq(seq), Err(Flaw::Seq));
        }
    }

    #[test]
    fn only_a_refusal_s_known_reason_is_taken() {
        let mut event = reported();
        assert_eq!(Report::read(&event).unwrap().known_reason(), Some(ReasonCode::SyncPending));
        event.reason_code = "E17".to_owned();
        assert_eq!(Report::read(&event).unwrap().known_reason(), None);
        event = Reported { result: "PASS".to_owned(), ..reported() };
        assert_eq!(Report::read(&event).unwrap().known_reason(), None);
    }

    #[test]
    fn a_face_nobody_recognised_is_an_event_all_the_same() {
        let event = Reported { face_id: String::new(), ..reported() };
        assert_eq!(Report::read(&event).unwrap().face, None);
    }
}
