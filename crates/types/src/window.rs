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

#[cfg(test)]
mod tests {
    use super::{InstantWindow, InvalidTime, TimeWindow, format_time, parse_time};
    use crate::SiteZone;
    use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
    use proptest::{prop_assert_eq, proptest};

    fn window(start: &str, end: &str) -> TimeWindow {
        TimeWindow::parse(start, end).unwrap()
    }

    fn on(window: TimeWindow, date: &str, zone: &str) -> InstantWindow {
        window.on(date.parse::<NaiveDate>().unwrap(), SiteZone::parse(zone).unwrap())
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_of_day_has_two_digits_each_and_exists() {
        for text in [
            "",
            "6:00",
            "06:0",
            "0600",
            "24:00",
            "06:60",
            "06:00:00",
            "+6:00",
            "０６:００",
            "ab:cd",
        ] {
            assert_eq!(parse_time(text), Err(InvalidTime), "{text}");
        }
        assert_eq!(format_time(parse_time("00:00").unwrap()), "00:00");
        assert_eq!(format_time(parse_time("23:59").unwrap()), "23:59");
    }

    #[test]
    fn midnight_may_be_written_as_an_end_only() {
        assert_eq!(window("20:00", "24:00"), window("20:00", "00:00"));
        assert_eq!(TimeWindow::parse("24:00", "06:00"), Err(InvalidTime));
        let evening = on(window("20:00", "24:00"), "2026-03-02", "Asia/Shanghai");
        assert_eq!(evening.end, utc("2026-03-02T16:00:00Z"));
    }

    #[test]
    fn an_end_at_or_before_the_start_is_on_the_next_day() {
        assert!(!window("06:00", "20:00").crosses_midnight());
        assert!(window("20:00", "06:00").crosses_midnight());
        let night = on(window("20:00", "06:00"), "2026-03-02", "Asia/Shanghai");
        assert_eq!(
            (night.start, night.end),
            (utc("2026-03-02T12:00:00Z"), utc("2026-03-02T22:00:00Z"))
        );
        let whole = on(window("06:00", "06:00"), "2026-03-02", "Asia/Shanghai");
        assert_eq!(whole.end - whole.start, TimeDelta::days(1));
    }

    #[test]
    fn a_start_or_end_that_the_clocks_skip_moves_to_the_first_valid_instant() {
        let after = on(window("02:30", "10:00"), "2026-03-08", "America/New_York");
        assert_eq!(after.start, utc("2026-03-08T07:00:00Z"));
        let before = on(window("22:00", "02:30"), "2026-03-07", "America/New_York");
        assert_eq!(before.end, utc("2026-03-08T07:00:00Z"));
        assert!(on(window("02:10", "02:50"), "2026-03-08", "America/New_York").is_empty());
    }

    #[test]
    fn of_a_local_time_that_comes_twice_the_start_is_the_earlier_and_the_end_the_later() {
        let morning = on(window("01:30", "10:00"), "2026-11-01", "America/New_York");
        assert_eq!(morning.start, utc("2026-11-01T05:30:00Z"));
        let night = on(window("22:00", "01:30"), "2026-10-31", "America/New_York");
        assert_eq!(night.end, utc("2026-11-01T06:30:00Z"));
    }

    #[test]
    fn the_start_belongs_to_a_window_and_the_end_does_not() {
        let day = on(window("06:00", "20:00"), "2026-03-02", "Asia/Shanghai");
        let instant = TimeDelta::microseconds(1);
        assert!(!day.contains(day.start - instant) && day.contains(day.start));
        assert!(day.contains(day.end - instant) && !day.contains(day.end));
        let turned = InstantWindow { start: day.end, end: day.start };
        assert!(turned.is_empty() && !turned.contains(day.start) && !turned.contains(day.end));
    }

    #[test]
    fn a_window_is_written_as_two_times_of_day() {
        let written = serde_json::json!({"start": "20:00", "end": "06:00"});
        assert_eq!(serde_json::to_value(window("20:00", "06:00")).unwrap(), written);
        assert_eq!(
            serde_json::from_value::<TimeWindow>(written).unwrap(),
            window("20:00", "06:00")
        );
        assert!(
            serde_json::from_value::<TimeWindow>(
                serde_json::json!({"start": "24:00", "end": "06:00"})
            )
            .is_err()
        );
        assert_eq!(window("20:00", "24:00").to_string(), "20:00–00:00");
    }

    proptest! {
        #[test]
        fn a_time_of_day_reads_back_as_it_was_written(hour in 0_u32..24, minute in 0_u32..60) {
            let text = format!("{hour:02}:{minute:02}");
            prop_assert_eq!(format_time(parse_time(&text).unwrap()), text);
        }
    }
}
