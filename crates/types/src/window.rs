use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, Timelike, Utc};
use serde::{Deserialize, Serialize};

use crate::SiteZone;

/// Text that is no time of day as `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time of day as HH:MM")]
pub struct InvalidTime;

/// Reads a time of day, `00:00` to `23:59`, always two digits each.
pub fn parse_time(text: &str) -> Result<NaiveTime, InvalidTime> {
    let [a, b, b':', c, d] = text.as_bytes() else { return Err(InvalidTime) };
    let number = |tens: u8, ones: u8| -> Option<u32> {
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
    };
    let (hour, minute) = number(*a, *b).zip(number(*c, *d)).ok_or(InvalidTime)?;
    NaiveTime::from_hms_opt(hour, minute, 0).ok_or(InvalidTime)
}

/// Writes a time of day as `HH:MM`; seconds are cut off.
pub fn format_time(time: NaiveTime) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// A daily span in site time. An end at or before the start is on the next day: a night shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct TimeWindow {
    pub start: NaiveTime,
    pub end: NaiveTime,
}

#[derive(Serialize, Deserialize)]
struct Text {
    start: String,
    end: String,
}

impl TimeWindow {
    /// Reads `HH:MM` twice. `24:00` is taken as an end (00:00 of the next day), never as a start.
    pub fn parse(start: &str, end: &str) -> Result<Self, InvalidTime> {
        let end = if end == "24:00" { NaiveTime::MIN } else { parse_time(end)? };
        Ok(Self { start: parse_time(start)?, end })
    }

    /// Whether the end lies on the day after the start's; start and end alike make a whole day.
    pub fn crosses_midnight(self) -> bool {
        self.end <= self.start
    }

    pub fn start_text(self) -> String {
        format_time(self.start)
    }

    /// As `HH:MM`; an end that was given as `24:00` reads `00:00`.
    pub fn end_text(self) -> String {
        format_time(self.end)
    }

    /// The instants of this window when it starts on `date`.
    ///
    /// A start or end that the clocks skip is the first valid instant after; of one that comes twice the start takes the
    /// earlier and the end the later. A window that lies wholly in skipped time is empty.
    pub fn on(self, date: NaiveDate, zone: SiteZone) -> InstantWindow {
        let last = if self.crosses_midnight() { date.succ_opt().unwrap_or(date) } else { date };
        InstantWindow { start: zone.at(date, self.start), end: zone.at_latest(last, self.end) }
    }
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}–{}", self.start_text(), self.end_text())
    }
}

impl TryFrom<Text> for TimeWindow {
    type Error = InvalidTime;

    fn try_from(text: Text) -> Result<Self, InvalidTime> {
        Self::parse(&text.start, &text.end)
    }
}

impl From<TimeWindow> for Text {
    fn from(window: TimeWindow) -> Self {
        Self { start: window.start_text(), end: window.end_text() }
    }
}

/// A span between two instants: the start belongs to it, the end does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InstantWindow {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl InstantWindow {
    /// Start inclusive, end exclusive; an end at or before the start contains nothing.
    pub fn contains(self, instant: DateTime<Utc>) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Whether no instant is in it.
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }
}
