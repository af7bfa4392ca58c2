use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use types::{InstantWindow, SiteZone, TimeWindow};

/// When a site's day starts and when it is over, unless a night window runs on.
const DAY_STARTS: NaiveTime = NaiveTime::from_hms_opt(0, 5, 0).expect("a time of day");
const DAY_ENDS: NaiveTime = NaiveTime::from_hms_opt(23, 59, 0).expect("a time of day");

/// Whether a day is complete when all its videos are watched, or any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoRule {
    All,
    Any,
}

/// Text that is neither `ALL` nor `ANY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is neither ALL nor ANY")]
pub struct UnknownVideoRule;

impl VideoRule {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Any => "ANY",
        }
    }
}

impl fmt::Display for VideoRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for VideoRule {
    type Err = UnknownVideoRule;

    fn from_str(text: &str) -> Result<Self, UnknownVideoRule> {
        match text {
            "ALL" => Ok(Self::All),
            "ANY" => Ok(Self::Any),
            _ => Err(UnknownVideoRule),
        }
    }
}

/// Until when a day's training counts, as a time of day on its date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// The ticket's own: kept whatever happens.
    Given(NaiveTime),
    /// The site's, which gives way to a night window and to a late publication.
    SiteDefault(NaiveTime),
}

/// Where the site's deadline gives way, and by how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leads {
    /// How long before a night window training has to be done.
    pub before_night: TimeDelta,
    /// How long after a late publication training may be done.
    pub after_publication: TimeDelta,
}

impl Default for Leads {
    fn default() -> Self {
        let (before_night, after_publication) = (TimeDelta::minutes(30), TimeDelta::minutes(90));
        Self { before_night, after_publication }
    }
}

/// A ticket's times and rules: the request's, else the site's as they were when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub zone: SiteZone,
    pub window: TimeWindow,
    pub deadline: Deadline,
    pub leads: Leads,
    pub video_rule: VideoRule,
    /// Send a notice when it is published.
    pub publish_now: bool,
    pub daily_reminder: bool,
}

impl Terms {
    /// The access window of a date.
    pub fn window_on(&self, date: NaiveDate) -> InstantWindow {
        self.window.on(date, self.zone)
    }

    /// The deadline of a date. `published_at` counts only for a day that had begun by then, and only
    /// where the ticket has no deadline of its own.
    pub fn deadline_on(
        &self,
        date: NaiveDate,
        published_at: Option<DateTime<Utc>>,
    ) -> DateTime<Utc> {
        let default = match self.deadline {
            Deadline::Given(time) => return self.zone.at(date, time),
            Deadline::SiteDefault(time) if self.has_night_deadline(time) => {
                self.window_on(date).start - self.leads.before_night
            }
            Deadline::SiteDefault(time) => self.zone.at(date, time),
        };
        match published_at {
            Some(at) if date <= self.zone.date_at(at) => {
                default.max(at + self.leads.after_publication)
            }
            _ => default,
        }
    }

    /// The deadline as a time of day, as it is shown for the ticket as a whole.
    pub fn deadline_time(&self) -> NaiveTime {
        match self.deadline {
            Deadline::SiteDefault(time) if self.has_night_deadline(time) => {
                self.window.start - self.leads.before_night
            }
            Deadline::Given(time) | Deadline::SiteDefault(time) => time,
        }
    }

    /// When a date's day begins.
    pub fn starts_on(&self, date: NaiveDate) -> DateTime<Utc> {
        self.zone.at(date, DAY_STARTS)
    }

    /// When a date's day is over: at 23:59, or when its window ends if that is later.
    pub fn expires_on(&self, date: NaiveDate) -> DateTime<Utc> {
        self.zone.at_latest(date, DAY_ENDS).max(self.window_on(date).end)
    }

    /// A night window that starts so early that its deadline would be on another day keeps the site's; so does one that
    /// is over at midnight, as a day's is that ends a minute before, unless the site's is earlier still.
    fn has_night_deadline(&self, site_default: NaiveTime) -> bool {
        let TimeWindow { start, end } = self.window;
        let lead = self.leads.before_night;
        self.window.crosses_midnight()
            && start - DAY_STARTS >= lead
            && (end != NaiveTime::MIN || site_default < start - lead)
    }
}

#[cfg(test)]
mod tests {
    use super::{Deadline, Leads, Terms, VideoRule};
    use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
    use types::{SiteZone, TimeWindow, parse_time};

    fn terms(zone: &str, start: &str, end: &str) -> Terms {
        Terms {
            zone: SiteZone::parse(zone).unwrap(),
            window: TimeWindow::parse(start, end).unwrap(),
            deadline: Deadline::SiteDefault(time("07:30")),
            leads: Leads::default(),
            video_rule: VideoRule::All,
            publish_now: true,
            daily_reminder: true,
        }
    }

    fn time(text: &str) -> NaiveTime {
        parse_time(text).unwrap()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_starts_at_five_past_midnight_and_is_over_at_a_minute_to() {
        let day = terms("Asia/Shanghai", "06:00", "20:00");
        assert_eq!(day.starts_on(date("2026-03-03")), at("2026-03-02T16:05:00Z"));
        assert_eq!(day.expires_on(date("2026-03-03")), at("2026-03-03T15:59:00Z"));
        assert_eq!(day.window_on(date("2026-03-03")).start, at("2026-03-02T22:00:00Z"));
        assert_eq!(day.window_on(date("2026-03-03")).end, at("2026-03-03T12:00:00Z"));
    }

    #[test]
    fn a_night_shift_is_over_when_its_window_ends() {
        let night = terms("Asia/Shanghai", "20:00", "06:00");
        assert_eq!(night.window_on(date("2026-03-03")).end, at("2026-03-03T22:00:00Z"));
        assert_eq!(night.expires_on(date("2026-03-03")), at("2026-03-03T22:00:00Z"));
    }

    #[test]
    fn a_window_until_midnight_outlasts_a_minute_to_midnight() {
        let late = terms("Asia/Shanghai", "06:00", "24:00");
        assert_eq!(late.expires_on(date("2026-03-03")), at("2026-03-03T16:00:00Z"));
    }

    #[test]
    fn a_day_window_has_the_sites_deadline() {
        let day = terms("Asia/Shanghai", "06:00", "20:00");
        assert_eq!(day.deadline_on(date("2026-03-03"), None), at("2026-03-02T23:30:00Z"));
        assert_eq!(day.deadline_time(), time("07:30"));
    }

    #[test]
    fn a_night_window_has_its_deadline_half_an_hour_before_it_starts() {
        let night = terms("Asia/Shanghai", "20:00", "06:00");
        assert_eq!(night.deadline_on(date("2026-03-03"), None), at("2026-03-03T11:30:00Z"));
        assert_eq!(night.deadline_time(), time("19:30"));
    }

    #[test]
    fn a_night_window_that_starts_the_day_keeps_the_sites_deadline() {
        let whole_day = terms("Asia/Shanghai", "00:00", "24:00");
        assert_eq!(whole_day.deadline_on(date("2026-03-03"), None), at("2026-03-02T23:30:00Z"));
        assert_eq!(whole_day.deadline_time(), time("07:30"));
    }

    #[test]
    fn a_day_that_lasts_until_midnight_keeps_the_sites_deadline_and_an_evening_has_its_own() {
        let day = terms("Asia/Shanghai", "06:00", "24:00");
        assert_eq!(day.deadline_on(date("2026-03-03"), None), at("2026-03-02T23:30:00Z"));
        assert_eq!(day.deadline_time(), time("07:30"));
        let evening = terms("Asia/Shanghai", "20:00", "24:00");
        assert_eq!(evening.deadline_on(date("2026-03-03"), None), at("2026-03-03T11:30:00Z"));
        assert_eq!(evening.deadline_time(), time("19:30"));
    }

    #[test]
    fn a_given_deadline_holds_for_a_night_window_and_a_late_publication() {
        let given = Terms {
            deadline: Deadline::Given(time("09:15")),
            ..terms("Asia/Shanghai", "20:00", "06:00")
        };
        let late = Some(at("2026-03-03T10:00:00Z"));
        assert_eq!(given.deadline_on(date("2026-03-03"), late), at("2026-03-03T01:15:00Z"));
        assert_eq!(given.deadline_time(), time("09:15"));
    }

    #[test]
    fn published_late_for_the_same_day_it_leaves_an_hour_and_a_half() {
        let day = terms("Asia/Shanghai", "06:00", "20:00");
        let late = at("2026-03-03T01:00:00Z");
        assert_eq!(day.deadline_on(date("2026-03-03"), Some(late)), late + TimeDelta::minutes(90));
    }

    #[test]
    fn how_long_before_and_after_is_the_sites_to_say() {
        let minutes = TimeDelta::minutes;
        let leads = Leads { before_night: minutes(120), after_publication: minutes(45) };
        let night = Terms { leads, ..terms("Asia/Shanghai", "20:00", "06:00") };
        assert_eq!(night.deadline_on(date("2026-03-03"), None), at("2026-03-03T10:00:00Z"));
        assert_eq!(night.deadline_time(), time("18:00"));
        let late = at("2026-03-03T10:30:00Z");
        assert_eq!(night.deadline_on(date("2026-03-03"), Some(late)), late + minutes(45));
        let early = Terms { leads, ..terms("Asia/Shanghai", "02:00", "01:00") };
        assert_eq!(early.deadline_time(), time("07:30"), "two hours before is another day");
    }

    #[test]
    fn published_early_on_the_same_day_it_keeps_the_sites_deadline() {
        let day = terms("Asia/Shanghai", "06:00", "20:00");
        let early = Some(at("2026-03-02T17:00:00Z"));
        assert_eq!(day.deadline_on(date("2026-03-03"), early), at("2026-03-02T23:30:00Z"));
    }

    #[test]
    fn publication_moves_no_deadline_of_a_later_day() {
        let early = Terms {
            deadline: Deadline::SiteDefault(time("00:30")),
            ..terms("Asia/Shanghai", "06:00", "20:00")
        };
        let evening_before = Some(at("2026-03-02T15:50:00Z"));
        assert_eq!(
            early.deadline_on(date("2026-03-03"), evening_before),
            at("2026-03-02T16:30:00Z")
        );
    }

    #[test]
    fn last_nights_shift_published_after_midnight_leaves_an_hour_and_a_half() {
        let night = terms("Asia/Shanghai", "20:00", "06:00");
        let after_midnight = at("2026-03-03T17:00:00Z");
        assert_eq!(
            night.deadline_on(date("2026-03-03"), Some(after_midnight)),
            after_midnight + TimeDelta::minutes(90)
        );
    }

    #[test]
    fn a_night_over_which_the_clocks_go_forward_is_an_hour_shorter() {
        let night = terms("Europe/Berlin", "22:00", "06:00");
        let window = night.window_on(date("2026-03-28"));
        assert_eq!(window.end - window.start, TimeDelta::hours(7));
        assert_eq!(night.expires_on(date("2026-03-28")), at("2026-03-29T04:00:00Z"));
    }

    #[test]
    fn a_night_over_which_the_clocks_go_back_is_an_hour_longer() {
        let night = terms("Europe/Berlin", "22:00", "06:00");
        let window = night.window_on(date("2026-10-24"));
        assert_eq!(window.end - window.start, TimeDelta::hours(9));
    }

    #[test]
    fn a_deadline_that_comes_twice_is_the_first_and_one_that_is_skipped_the_next_instant() {
        let deadline = Deadline::Given(time("02:30"));
        let day = Terms { deadline, ..terms("Europe/Berlin", "06:00", "20:00") };
        assert_eq!(day.deadline_on(date("2026-10-25"), None), at("2026-10-25T00:30:00Z"));
        assert_eq!(day.deadline_on(date("2026-03-29"), None), at("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn a_night_deadline_is_half_an_hour_of_real_time_before_the_start() {
        // 02:00 to 03:00 is skipped: the shift starts at 03:15 (01:15 UTC), half an hour before is 01:45 local.
        let night = terms("Europe/Berlin", "03:15", "03:00");
        assert_eq!(night.deadline_on(date("2026-03-29"), None), at("2026-03-29T00:45:00Z"));
    }

    #[test]
    fn a_day_starts_where_midnight_is_skipped() {
        // Cairo puts its clocks forward at midnight: 00:00 to 01:00 does not exist on 24 April 2026.
        let day = terms("Africa/Cairo", "06:00", "20:00");
        assert_eq!(day.starts_on(date("2026-04-24")), at("2026-04-23T22:00:00Z"));
    }
}
