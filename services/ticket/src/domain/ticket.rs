use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use types::{
    AccountId, AreaId, ContractorId, DailyTicketId, FieldProblem, SiteId, TicketId, VideoId,
    WorkerId,
};

use super::daily_ticket::{DailyTicket, DayStatus};
use super::request::Unfit;
use super::terms::Terms;

/// A job over one or more dates, with a daily ticket for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub id: TicketId,
    pub site: SiteId,
    pub contractor: ContractorId,
    pub title: String,
    pub remark: String,
    pub first_date: NaiveDate,
    pub last_date: NaiveDate,
    pub terms: Terms,
    pub areas: Vec<AreaId>,
    pub workers: Vec<WorkerId>,
    pub videos: Vec<VideoId>,
    /// By date, one for each.
    pub days: Vec<DailyTicket>,
    pub created_by: AccountId,
    pub created_at: DateTime<Utc>,
    pub state: State,
    /// Counts people's edits, not the clock's moves: what an amendment names. From 1.
    pub revision: u64,
}

/// What a ticket is made from; its fields were found fit before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTicket {
    pub id: TicketId,
    pub site: SiteId,
    pub contractor: ContractorId,
    pub title: String,
    pub remark: String,
    pub first_date: NaiveDate,
    pub last_date: NaiveDate,
    pub terms: Terms,
    pub areas: Vec<AreaId>,
    pub workers: Vec<WorkerId>,
    pub videos: Vec<VideoId>,
    pub created_by: AccountId,
    pub created_at: DateTime<Utc>,
}

/// Where a ticket is, with what is true there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Draft,
    Active(Publication),
    /// A draft may be cancelled without ever having been published.
    Cancelled {
        published: Option<Publication>,
        cancellation: Cancellation,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    pub by: AccountId,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    pub by: AccountId,
    pub at: DateTime<Utc>,
    pub reason: String,
}

/// A ticket's state without its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Draft,
    Active,
    Cancelled,
}

/// Text that is no ticket's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is none of DRAFT, ACTIVE, CANCELLED")]
pub struct UnknownTicketStatus;

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Active => "ACTIVE",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownTicketStatus;

    fn from_str(text: &str) -> Result<Self, UnknownTicketStatus> {
        [Self::Draft, Self::Active, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownTicketStatus)
    }
}

/// Why a ticket or a day of it does not become what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    #[error("a {from} ticket does not become {to}")]
    Ticket { from: Status, to: Status },
    #[error("a {from} day does not become {to}")]
    Day { from: DayStatus, to: DayStatus },
    #[error("every day of the ticket is over, it does not become {to}")]
    Over { to: Status },
    #[error("a {from} ticket is not amended")]
    Amend { from: Status },
    #[error("every day of the ticket is over, it is not amended")]
    AmendOver,
    #[error("it is not yet time to become {to}")]
    NotDue { to: DayStatus },
    #[error("the ticket has no such day")]
    NoSuchDay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Published {
    Now { at: DateTime<Utc> },
    Already { at: DateTime<Utc> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Cancelled {
    Now,
    Already,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Started {
    Now,
    Already,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Expired {
    Now,
    Already,
}

impl Ticket {
    /// A draft with a daily ticket for each date; `day_id` draws their identifiers.
    pub fn draft(new: NewTicket, mut day_id: impl FnMut() -> DailyTicketId) -> Self {
        let dates = new.first_date.iter_days().take_while(|date| *date <= new.last_date);
        let days = dates.map(|date| DailyTicket::draft(day_id(), date, &new.terms)).collect();
        Self {
            id: new.id,
            site: new.site,
            contractor: new.contractor,
            title: new.title,
            remark: new.remark,
            first_date: new.first_date,
            last_date: new.last_date,
            terms: new.terms,
            areas: new.areas,
            workers: new.workers,
            videos: new.videos,
            days,
            created_by: new.created_by,
            created_at: new.created_at,
            state: State::Draft,
            revision: 1,
        }
    }

    pub fn status(&self) -> Status {
        match self.state {
            State::Draft => Status::Draft,
            State::Active(_) => Status::Active,
            State::Cancelled { .. } => Status::Cancelled,
        }
    }

    pub fn publication(&self) -> Option<Publication> {
        match self.state {
            State::Draft => None,
            State::Active(publication) => Some(publication),
            State::Cancelled { published, .. } => published,
        }
    }

    pub fn cancellation(&self) -> Option<&Cancellation> {
        match &self.state {
            State::Draft | State::Active(_) => None,
            State::Cancelled { cancellation, .. } => Some(cancellation),
        }
    }

    pub fn day(&self, id: DailyTicketId) -> Option<&DailyTicket> {
        self.days.iter().find(|day| day.id == id)
    }

    /// What of a draft's dates came to lie in the past by `now`. Last night's shift does not until it ends.
    pub fn passed(&self, now: DateTime<Utc>) -> Vec<FieldProblem> {
        let open = || self.days.iter().filter(|day| !day.is_over());
        let Some(first) = open().find(|day| day.is_done(now)) else { return Vec::new() };
        let last = open().next_back().filter(|day| day.is_done(now));
        let passed = |day: &DailyTicket| Unfit::Passed { date: day.date };
        let mut problems = vec![passed(first).of("start_date")];
        problems.extend(last.map(|day| passed(day).of("end_date")));
        problems
    }

    /// Makes a draft, found fit before, and its days visible; days that have begun are in progress at once.
    pub fn publish(&mut self, by: AccountId, at: DateTime<Utc>) -> Result<Published, NotAllowed> {
        match self.state {
            State::Draft => {}
            State::Active(publication) => return Ok(Published::Already { at: publication.at }),
            State::Cancelled { .. } => return Err(self.refuse(Status::Active)),
        }
        if self.is_over_at(at) {
            return Err(NotAllowed::Over { to: Status::Active });
        }
        // A day that was cancelled while it was a draft stays so.
        for day in self.days.iter_mut().filter(|day| !day.is_over()) {
            day.publish(at, &self.terms)?;
            day.catch_up(at);
        }
        self.state = State::Active(Publication { by, at });
        self.revision += 1;
        Ok(Published::Now { at })
    }

    /// Ends the ticket and every day of it that is not over.
    pub fn cancel(
        &mut self,
        by: AccountId,
        at: DateTime<Utc>,
        reason: &str,
    ) -> Result<Cancelled, NotAllowed> {
        let published = match self.state {
            State::Draft => None,
            State::Active(publication) => Some(publication),
            State::Cancelled { .. } => return Ok(Cancelled::Already),
        };
        if published.is_some() && self.is_over_at(at) {
            return Err(NotAllowed::Over { to: Status::Cancelled });
        }
        for day in &mut self.days {
            day.catch_up(at);
            if !day.is_over() {
                let _newly = day.cancel(at, reason)?;
            }
        }
        let cancellation = Cancellation { by, at, reason: reason.to_owned() };
        self.state = State::Cancelled { published, cancellation };
        self.revision += 1;
        Ok(Cancelled::Now)
    }

    /// Ends one day. The ticket goes on, even if this was its last open day.
    pub fn cancel_day(
        &mut self,
        id: DailyTicketId,
        at: DateTime<Utc>,
        reason: &str,
    ) -> Result<Cancelled, NotAllowed> {
        let day = self.day_mut(id)?;
        day.catch_up(at);
        if !day.cancel(at, reason)? {
            return Ok(Cancelled::Already);
        }
        self.revision += 1;
        Ok(Cancelled::Now)
    }

    /// Begins a published day whose time has come.
    pub fn start_day(
        &mut self,
        id: DailyTicketId,
        at: DateTime<Utc>,
    ) -> Result<Started, NotAllowed> {
        Ok(if self.day_mut(id)?.start(at)? { Started::Now } else { Started::Already })
    }

    /// Ends a day in progress whose time has come.
    pub fn expire_day(
        &mut self,
        id: DailyTicketId,
        at: DateTime<Utc>,
    ) -> Result<Expired, NotAllowed> {
        Ok(if self.day_mut(id)?.expire(at)? { Expired::Now } else { Expired::Already })
    }

    /// Whether no day of it can change any more.
    pub fn is_over_at(&self, at: DateTime<Utc>) -> bool {
        self.days.iter().all(|day| day.is_done(at))
    }

    fn day_mut(&mut self, id: DailyTicketId) -> Result<&mut DailyTicket, NotAllowed> {
        self.days.iter_mut().find(|day| day.id == id).ok_or(NotAllowed::NoSuchDay)
    }

    fn refuse(&self, to: Status) -> NotAllowed {
        NotAllowed::Ticket { from: self.status(), to }
    }
}

#[cfg(test)]
mod tests;
