use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use types::{DailyTicketId, InstantWindow, SiteZone};

use super::terms::Terms;
use super::ticket::NotAllowed;

/// One date of a work ticket, and the instants its local times mean there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyTicket {
    pub id: DailyTicketId,
    pub date: NaiveDate,
    pub window: InstantWindow,
    pub deadline_at: DateTime<Utc>,
    pub starts_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub state: DayState,
}

/// Where a day is, with what is true there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayState {
    Draft,
    Published {
        at: DateTime<Utc>,
    },
    InProgress {
        published_at: DateTime<Utc>,
        started_at: DateTime<Utc>,
    },
    Expired {
        published_at: DateTime<Utc>,
        started_at: DateTime<Utc>,
        at: DateTime<Utc>,
    },
    Cancelled {
        published_at: Option<DateTime<Utc>>,
        started_at: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
        reason: String,
    },
}

/// A day's state without its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayStatus {
    Draft,
    Published,
    InProgress,
    Expired,
    Cancelled,
}

impl DayStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Published => "PUBLISHED",
            Self::InProgress => "IN_PROGRESS",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl fmt::Display for DayStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl DailyTicket {
    pub(super) fn draft(id: DailyTicketId, date: NaiveDate, terms: &Terms) -> Self {
        Self {
            id,
            date,
            window: terms.window_on(date),
            deadline_at: terms.deadline_on(date, None),
            starts_at: terms.starts_on(date),
            expires_at: terms.expires_on(date),
            state: DayState::Draft,
        }
    }

    pub fn status(&self) -> DayStatus {
        match self.state {
            DayState::Draft => DayStatus::Draft,
            DayState::Published { .. } => DayStatus::Published,
            DayState::InProgress { .. } => DayStatus::InProgress,
            DayState::Expired { .. } => DayStatus::Expired,
            DayState::Cancelled { .. } => DayStatus::Cancelled,
        }
    }

    /// When it expired or was cancelled.
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        match self.state {
            DayState::Expired { at, .. } | DayState::Cancelled { at, .. } => Some(at),
            DayState::Draft | DayState::Published { .. } | DayState::InProgress { .. } => None,
        }
    }

    /// Whether it can no longer change.
    pub fn is_over(&self) -> bool {
        self.ended_at().is_some()
    }

    /// Whether it is over, or is by the clock.
    pub fn is_done(&self, now: DateTime<Utc>) -> bool {
        self.is_over() || self.expires_at <= now
    }

    /// Whether it belongs on a worker's list now: today's, and last night's until its end.
    pub fn is_task_at(&self, now: DateTime<Utc>, zone: SiteZone) -> bool {
        match self.state {
            DayState::InProgress { .. } => now < self.expires_at,
            DayState::Published { .. } => now < self.expires_at && zone.date_at(now) == self.date,
            DayState::Draft | DayState::Expired { .. } | DayState::Cancelled { .. } => false,
        }
    }

    pub(super) fn publish(&mut self, at: DateTime<Utc>, terms: &Terms) -> Result<(), NotAllowed> {
        let DayState::Draft = self.state else { return Err(self.refuse(DayStatus::Published)) };
        self.deadline_at = terms.deadline_on(self.date, Some(at));
        self.state = DayState::Published { at };
        Ok(())
    }

    /// Its instants by other terms. A day that is over keeps those it had.
    pub(super) fn retime(&mut self, terms: &Terms) {
        let published_at = match self.state {
            DayState::Draft => None,
            DayState::Published { at } | DayState::InProgress { published_at: at, .. } => Some(at),
            DayState::Expired { .. } | DayState::Cancelled { .. } => return,
        };
        self.window = terms.window_on(self.date);
        self.deadline_at = terms.deadline_on(self.date, published_at);
        self.starts_at = terms.starts_on(self.date);
        self.expires_at = terms.expires_on(self.date);
    }

    /// `Ok(false)`: it is in progress already.
    pub(super) fn start(&mut self, at: DateTime<Utc>) -> Result<bool, NotAllowed> {
        match self.state {
            DayState::InProgress { .. } => Ok(false),
            DayState::Published { at: published_at } if self.starts_at <= at => {
                self.state = DayState::InProgress { published_at, started_at: at };
                Ok(true)
            }
            DayState::Published { .. } => Err(NotAllowed::NotDue { to: DayStatus::InProgress }),
            _ => Err(self.refuse(DayStatus::InProgress)),
        }
    }

    /// `Ok(false)`: it has expired already.
    pub(super) fn expire(&mut self, at: DateTime<Utc>) -> Result<bool, NotAllowed> {
        match self.state {
            DayState::Expired { .. } => Ok(false),
            DayState::InProgress { published_at, started_at } if self.expires_at <= at => {
                self.state = DayState::Expired { published_at, started_at, at };
                Ok(true)
            }
            DayState::InProgress { .. } => Err(NotAllowed::NotDue { to: DayStatus::Expired }),
            _ => Err(self.refuse(DayStatus::Expired)),
        }
    }

    /// `Ok(false)`: it is cancelled already, for the reason given then.
    pub(super) fn cancel(&mut self, at: DateTime<Utc>, reason: &str) -> Result<bool, NotAllowed> {
        let (published_at, started_at) = match self.state {
            DayState::Draft => (None, None),
            DayState::Published { at } => (Some(at), None),
            DayState::InProgress { published_at, started_at } => {
                (Some(published_at), Some(started_at))
            }
            DayState::Cancelled { .. } => return Ok(false),
            DayState::Expired { .. } => return Err(self.refuse(DayStatus::Cancelled)),
        };
        self.state =
            DayState::Cancelled { published_at, started_at, at, reason: reason.to_owned() };
        Ok(true)
    }

    /// Brings a published day to where the clock says it is.
    pub(super) fn catch_up(&mut self, at: DateTime<Utc>) {
        if let DayState::Published { at: published_at } = self.state
            && self.starts_at <= at
        {
            self.state = DayState::InProgress { published_at, started_at: at };
        }
        if let DayState::InProgress { published_at, started_at } = self.state
            && self.expires_at <= at
        {
            self.state = DayState::Expired { published_at, started_at, at };
        }
    }

    fn refuse(&self, to: DayStatus) -> NotAllowed {
        NotAllowed::Day { from: self.status(), to }
    }
}

#[cfg(test)]
mod tests {
    use super::{DailyTicket, DayState, DayStatus};
    use crate::domain::{Deadline, Leads, NotAllowed, Terms, VideoRule};
    use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
    use types::{DailyTicketId, SiteZone, TimeWindow};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn terms(start: &str, end: &str) -> Terms {
        Terms {
            zone: SiteZone::default(),
            window: TimeWindow::parse(start, end).unwrap(),
            deadline: Deadline::SiteDefault(NaiveTime::from_hms_opt(7, 30, 0).unwrap()),
            leads: Leads::default(),
            video_rule: VideoRule::All,
            publish_now: true,
            daily_reminder: true,
        }
    }

    /// 3 March 2026 in Shanghai: starts 2 March 16:05 UTC, over 3 March 15:59 UTC.
    fn day() -> DailyTicket {
        DailyTicket::draft(
            DailyTicketId::new(),
            "2026-03-03".parse().unwrap(),
            &terms("06:00", "20:00"),
        )
    }

    fn published() -> DailyTicket {
        let mut day = day();
        day.publish(at("2026-03-01T00:00:00Z"), &terms("06:00", "20:00")).unwrap();
        day
    }

    fn in_progress() -> DailyTicket {
        let mut day = published();
        assert_eq!(day.start(day.starts_at), Ok(true));
        day
    }

    fn expired() -> DailyTicket {
        let mut day = in_progress();
        assert_eq!(day.expire(day.expires_at), Ok(true));
        day
    }

    fn cancelled() -> DailyTicket {
        let mut day = published();
        assert_eq!(day.cancel(at("2026-03-02T00:00:00Z"), "rain"), Ok(true));
        day
    }

    fn refused(from: DayStatus, to: DayStatus) -> NotAllowed {
        NotAllowed::Day { from, to }
    }

    #[test]
    fn a_published_day_starts_when_it_is_due_and_not_before() {
        let mut day = published();
        let early = day.starts_at - TimeDelta::microseconds(1);
        assert_eq!(day.start(early), Err(NotAllowed::NotDue { to: DayStatus::InProgress }));
        assert_eq!(day.start(day.starts_at), Ok(true));
        assert_eq!(day.status(), DayStatus::InProgress);
        assert_eq!(day.start(day.starts_at), Ok(false));
    }

    #[test]
    fn a_day_in_progress_expires_when_it_is_due_and_not_before() {
        let mut day = in_progress();
        let early = day.expires_at - TimeDelta::microseconds(1);
        assert_eq!(day.expire(early), Err(NotAllowed::NotDue { to: DayStatus::Expired }));
        assert_eq!(day.expire(day.expires_at), Ok(true));
        assert_eq!(day.ended_at(), Some(day.expires_at));
        assert_eq!(day.expire(day.expires_at), Ok(false));
    }

    #[test]
    fn a_draft_day_neither_starts_nor_expires() {
        let late = at("2026-04-01T00:00:00Z");
        assert_eq!(day().start(late), Err(refused(DayStatus::Draft, DayStatus::InProgress)));
        assert_eq!(day().expire(late), Err(refused(DayStatus::Draft, DayStatus::Expired)));
    }

    #[test]
    fn a_day_that_never_started_does_not_expire() {
        let late = at("2026-04-01T00:00:00Z");
        assert_eq!(
            published().expire(late),
            Err(refused(DayStatus::Published, DayStatus::Expired))
        );
    }

    #[test]
    fn only_a_draft_day_is_published() {
        let terms = terms("06:00", "20:00");
        let now = at("2026-03-02T00:00:00Z");
        for mut day in [published(), in_progress(), expired(), cancelled()] {
            let from = day.status();
            assert_eq!(day.publish(now, &terms), Err(refused(from, DayStatus::Published)));
        }
    }

    #[test]
    fn any_day_but_an_expired_one_is_cancelled() {
        let now = at("2026-03-03T00:00:00Z");
        for mut day in [day(), published(), in_progress()] {
            assert_eq!(day.cancel(now, "rain"), Ok(true));
            assert_eq!(day.ended_at(), Some(now));
        }
        let mut expired = expired();
        let refusal = refused(DayStatus::Expired, DayStatus::Cancelled);
        assert_eq!(expired.cancel(now, "rain"), Err(refusal));
    }

    #[test]
    fn a_cancelled_day_stays_cancelled_for_its_first_reason() {
        let mut day = cancelled();
        let before = day.clone();
        let late = at("2026-04-01T00:00:00Z");
        assert_eq!(day.cancel(late, "wind"), Ok(false));
        assert_eq!(day.start(late), Err(refused(DayStatus::Cancelled, DayStatus::InProgress)));
        assert_eq!(day.expire(late), Err(refused(DayStatus::Cancelled, DayStatus::Expired)));
        assert_eq!(day, before);
    }

    #[test]
    fn an_expired_day_stays_expired() {
        let mut day = expired();
        let refusal = refused(DayStatus::Expired, DayStatus::InProgress);
        assert_eq!(day.start(day.expires_at), Err(refusal));
        assert_eq!(day.status(), DayStatus::Expired);
    }

    #[test]
    fn a_cancelled_day_remembers_how_far_it_came() {
        let mut day = in_progress();
        let started = day.starts_at;
        assert_eq!(day.cancel(started, "rain"), Ok(true));
        let DayState::Cancelled { started_at, .. } = day.state else { panic!("not cancelled") };
        assert_eq!(started_at, Some(started));
    }

    #[test]
    fn catching_up_goes_as_far_as_the_clock_and_no_further() {
        let mut before = published();
        before.catch_up(before.starts_at - TimeDelta::seconds(1));
        assert_eq!(before.status(), DayStatus::Published);
        let mut during = published();
        during.catch_up(during.starts_at);
        assert_eq!(during.status(), DayStatus::InProgress);
        let mut after = published();
        after.catch_up(after.expires_at);
        assert_eq!(after.status(), DayStatus::Expired);
        let mut draft = day();
        draft.catch_up(draft.expires_at);
        assert_eq!(draft.status(), DayStatus::Draft);
    }

    #[test]
    fn todays_published_day_is_a_task_and_tomorrows_is_not() {
        let zone = SiteZone::default();
        let day = published();
        assert!(!day.is_task_at(at("2026-03-02T15:59:00Z"), zone));
        assert!(day.is_task_at(at("2026-03-02T16:01:00Z"), zone));
    }

    #[test]
    fn last_nights_shift_is_a_task_until_its_end() {
        let terms = terms("20:00", "06:00");
        let zone = terms.zone;
        let mut night =
            DailyTicket::draft(DailyTicketId::new(), "2026-03-03".parse().unwrap(), &terms);
        night.publish(at("2026-03-01T00:00:00Z"), &terms).unwrap();
        assert_eq!(night.start(night.starts_at), Ok(true));
        assert!(night.is_task_at(at("2026-03-03T21:59:59Z"), zone));
        assert!(!night.is_task_at(at("2026-03-03T22:00:00Z"), zone));
    }

    #[test]
    fn what_is_over_or_not_yet_public_is_no_task() {
        let noon = at("2026-03-03T04:00:00Z");
        for day in [day(), expired(), cancelled()] {
            assert!(!day.is_task_at(noon, SiteZone::default()), "{:?}", day.state);
        }
    }
}
