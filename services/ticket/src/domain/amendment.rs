//! What people change of a ticket after it was made.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use types::{AreaId, DailyTicketId, FieldProblem, TimeWindow, VideoId, WorkerId};

use super::daily_ticket::{DailyTicket, DayStatus};
use super::request::{Unfit, check_dates};
use super::terms::{Deadline, Terms, VideoRule};
use super::ticket::{NotAllowed, State, Ticket};

/// What of a ticket is to be otherwise; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amendment {
    pub title: Option<String>,
    pub remark: Option<String>,
    pub window: Option<TimeWindow>,
    pub deadline: Option<NaiveTime>,
    pub video_rule: Option<VideoRule>,
    pub publish_now: Option<bool>,
    pub daily_reminder: Option<bool>,
    pub first_date: Option<NaiveDate>,
    pub last_date: Option<NaiveDate>,
    pub areas: Option<Vec<AreaId>>,
    pub workers: Option<Vec<WorkerId>>,
    pub videos: Option<Vec<VideoId>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Amended {
    Now,
    /// The ticket says all of it already.
    Nothing,
}

impl Amendment {
    /// Without what the ticket says already.
    #[must_use]
    pub fn of(mut self, ticket: &Ticket) -> Self {
        let terms = &ticket.terms;
        keep(&mut self.title, |title| *title != ticket.title);
        keep(&mut self.remark, |remark| *remark != ticket.remark);
        keep(&mut self.window, |window| *window != terms.window);
        // The one that is shown: who names the site's back has not given the ticket one of its own.
        keep(&mut self.deadline, |time| *time != terms.deadline_time());
        keep(&mut self.video_rule, |rule| *rule != terms.video_rule);
        keep(&mut self.publish_now, |is| *is != terms.publish_now);
        keep(&mut self.daily_reminder, |is| *is != terms.daily_reminder);
        keep(&mut self.first_date, |date| *date != ticket.first_date);
        keep(&mut self.last_date, |date| *date != ticket.last_date);
        keep(&mut self.areas, |areas| !same(areas, &ticket.areas));
        keep(&mut self.workers, |workers| !same(workers, &ticket.workers));
        keep(&mut self.videos, |videos| !same(videos, &ticket.videos));
        self
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The fields of a published ticket that not everyone who may amend it may touch: all but its remark, window,
    /// deadline and further workers. Everybody who may amend a draft may change all of it. The amendment is without
    /// what the ticket says already.
    pub fn reaching_far(&self, ticket: &Ticket) -> Vec<&'static str> {
        if ticket.state == State::Draft {
            return Vec::new();
        }
        // Named one by one, so that a field that is new is not everybody's by oversight.
        let Self {
            remark: _,
            window: _,
            deadline: _,
            title,
            video_rule,
            publish_now,
            daily_reminder,
            first_date,
            last_date,
            areas,
            workers,
            videos,
        } = self;
        let removes = workers
            .as_ref()
            .is_some_and(|workers| ticket.workers.iter().any(|worker| !workers.contains(worker)));
        [
            ("title", title.is_some()),
            ("video_rule", video_rule.is_some()),
            ("publish_now", publish_now.is_some()),
            ("daily_reminder", daily_reminder.is_some()),
            ("start_date", first_date.is_some()),
            ("end_date", last_date.is_some()),
            ("area_ids", areas.is_some()),
            ("worker_ids", removes),
            ("video_ids", videos.is_some()),
        ]
        .into_iter()
        .filter_map(|(field, reaches)| reaches.then_some(field))
        .collect()
    }

    /// Whether it moves the ticket's dates.
    pub fn moves_dates(&self) -> bool {
        self.first_date.is_some() || self.last_date.is_some()
    }

    /// What of its dates and times does not fit the ticket at `now`. `max_span_days` is the site's, where dates move.
    pub fn problems(
        &self,
        ticket: &Ticket,
        max_span_days: u32,
        now: DateTime<Utc>,
    ) -> Vec<FieldProblem> {
        let terms = self.terms(ticket);
        let first = self.first_date.unwrap_or(ticket.first_date);
        let last = self.last_date.unwrap_or(ticket.last_date);
        let mut problems = Vec::new();
        if self.moves_dates() {
            problems = self.date_problems(ticket, first, last, max_span_days, now);
        }
        if problems.is_empty() && (self.window.is_some() || self.moves_dates()) {
            let dates = first.iter_days().take_while(|date| *date <= last);
            let open = dates.filter(|date| !ticket.is_done(*date, now));
            let skipped = open.filter(|date| terms.window_on(*date).is_empty());
            problems
                .extend(skipped.map(|date| Unfit::WindowSkipped { date }.of("access_start_time")));
        }
        problems
    }

    fn date_problems(
        &self,
        ticket: &Ticket,
        first: NaiveDate,
        last: NaiveDate,
        max_span_days: u32,
        now: DateTime<Utc>,
    ) -> Vec<FieldProblem> {
        let today = ticket.terms.zone.date_at(now);
        // Only a date that is moved is held against today.
        let moved = self.first_date.is_some().then_some(first);
        let mut problems = check_dates(moved, None, Some((today, max_span_days)));
        problems.extend(check_dates(Some(first), Some(last), Some((first, max_span_days))));
        let runs = |date| ticket.days.iter().any(|day| day.date == date && !day.is_done(now));
        if self.last_date.is_some() && first <= last && last < today && !runs(last) {
            problems.push(Unfit::InThePast { today }.of("end_date"));
        }
        // What was worked on stays on the ticket.
        let over = |day: &&DailyTicket| {
            ticket.state != State::Draft && day.is_done(now) && day.status() != DayStatus::Cancelled
        };
        let over = ticket.days.iter().filter(over).map(|day| day.date);
        for date in over.filter(|date| *date < first || last < *date) {
            let field = if date < first { "start_date" } else { "end_date" };
            problems.push(Unfit::LeavesOut { date }.of(field));
        }
        problems
    }

    fn terms(&self, ticket: &Ticket) -> Terms {
        let old = ticket.terms;
        Terms {
            window: self.window.unwrap_or(old.window),
            deadline: self.deadline.map_or(old.deadline, Deadline::Given),
            video_rule: self.video_rule.unwrap_or(old.video_rule),
            publish_now: self.publish_now.unwrap_or(old.publish_now),
            daily_reminder: self.daily_reminder.unwrap_or(old.daily_reminder),
            ..old
        }
    }
}

impl Ticket {
    /// Makes it say what `amendment` says, and brings every day that is not over to that: days beyond the new dates
    /// are cancelled for `reason` (a draft's are gone), new dates become days, published at once if the ticket is.
    /// `day_id` draws their identifiers. The amendment was found fit before.
    pub fn amend(
        &mut self,
        amendment: Amendment,
        at: DateTime<Utc>,
        reason: &str,
        mut day_id: impl FnMut() -> DailyTicketId,
    ) -> Result<Amended, NotAllowed> {
        let published = match self.state {
            State::Draft => false,
            State::Active(_) => true,
            State::Cancelled { .. } => return Err(NotAllowed::Amend { from: self.status() }),
        };
        if published && self.is_over_at(at) {
            return Err(NotAllowed::AmendOver);
        }
        let amendment = amendment.of(self);
        if amendment.is_empty() {
            return Ok(Amended::Nothing);
        }
        // What the clock has ended by now is not reached.
        self.catch_up(at);
        self.terms = amendment.terms(self);
        self.say(amendment);
        let (first, last) = (self.first_date, self.last_date);
        let is_on = |date: NaiveDate| first <= date && date <= last;
        if published {
            for day in self.days.iter_mut().filter(|day| !day.is_over() && !is_on(day.date)) {
                let _newly = day.cancel(at, reason)?;
            }
        } else {
            self.days.retain(|day| is_on(day.date));
        }
        for day in &mut self.days {
            day.retime(&self.terms);
        }
        let known: BTreeSet<NaiveDate> = self.days.iter().map(|day| day.date).collect();
        let dates = first.iter_days().take_while(|date| *date <= last);
        for date in dates.filter(|date| !known.contains(date)) {
            let mut day = DailyTicket::draft(day_id(), date, &self.terms);
            if published {
                day.publish(at, &self.terms)?;
            }
            self.days.push(day);
        }
        self.days.sort_by_key(|day| day.date);
        self.catch_up(at);
        self.revision += 1;
        Ok(Amended::Now)
    }

    fn catch_up(&mut self, at: DateTime<Utc>) {
        for day in &mut self.days {
            day.catch_up(at);
        }
    }

    fn say(&mut self, amendment: Amendment) {
        let Amendment { title, remark, first_date, last_date, areas, workers, videos, .. } =
            amendment;
        set(&mut self.title, title);
        set(&mut self.remark, remark);
        set(&mut self.first_date, first_date);
        set(&mut self.last_date, last_date);
        set(&mut self.areas, areas);
        set(&mut self.workers, workers);
        set(&mut self.videos, videos);
    }

    /// Whether the ticket has a day on `date` that is over by `now`.
    fn is_done(&self, date: NaiveDate, now: DateTime<Utc>) -> bool {
        self.days.iter().any(|day| day.date == date && day.is_done(now))
    }
}

fn set<T>(field: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *field = new;
    }
}

fn keep<T>(field: &mut Option<T>, differs: impl FnOnce(&T) -> bool) {
    *field = field.take().filter(differs);
}

/// In whatever order they are named.
fn same<T: Ord>(one: &[T], other: &[T]) -> bool {
    one.iter().collect::<BTreeSet<_>>() == other.iter().collect()
}

#[cfg(test)]
mod tests;
