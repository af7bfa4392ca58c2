//! What whoever makes or changes a ticket should know, and what stops nobody.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use types::{AreaId, DailyTicketId, TicketId, VideoId, WorkerId};

use super::terms::VideoRule;
use super::ticket::Ticket;

/// One thing to know. Ordered as they are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// No message reaches the worker, and they cannot train on their phone.
    Unbound {
        worker: WorkerId,
    },
    /// The worker's engagement on the site is over before the ticket is, or is over already.
    EngagementEnds {
        worker: WorkerId,
        until: NaiveDate,
    },
    /// The worker is named for other areas at that time; `ticket` where the caller may see it.
    Overlap {
        worker: WorkerId,
        date: NaiveDate,
        ticket: Option<TicketId>,
    },
    /// The day's videos take longer than there is until its deadline.
    NoTime {
        date: NaiveDate,
        needed: TimeDelta,
        left: TimeDelta,
    },
    /// A date that the ticket has again; its day was cancelled and stays so.
    StaysCancelled {
        date: NaiveDate,
    },
    /// A copy does without what is no longer there.
    WorkerLeftOut {
        worker: WorkerId,
    },
    AreaLeftOut {
        area: AreaId,
    },
    VideoLeftOut {
        video: VideoId,
    },
}

/// The end of a worker's engagement on a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastDay {
    pub date: NaiveDate,
    /// The site's roster has them no more: they are missing on that very day too.
    pub gone: bool,
}

/// What is known of others when warnings are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    pub unbound: BTreeSet<WorkerId>,
    /// Of engagements that have one.
    pub last_days: BTreeMap<WorkerId, LastDay>,
    /// How long videos take, in seconds. One that is missing counts as nothing.
    pub durations: BTreeMap<VideoId, u32>,
    /// Days on which every worker has trained.
    pub trained: BTreeSet<DailyTicketId>,
    pub overlaps: Vec<(WorkerId, NaiveDate, Option<TicketId>)>,
}

/// Of a ticket at `now`, in their order. What is over warns of nothing.
pub fn warnings(ticket: &Ticket, known: &Known, now: DateTime<Utc>) -> Vec<Warning> {
    let open = || ticket.days.iter().filter(|day| !day.is_done(now));
    let Some(last) = open().map(|day| day.date).max() else { return Vec::new() };
    let mut warnings = BTreeSet::new();
    for worker in &ticket.workers {
        if known.unbound.contains(worker) {
            warnings.insert(Warning::Unbound { worker: *worker });
        }
        let ends = known.last_days.get(worker).filter(|ends| ends.gone || ends.date < last);
        if let Some(ends) = ends {
            warnings.insert(Warning::EngagementEnds { worker: *worker, until: ends.date });
        }
    }
    for (worker, date, other) in &known.overlaps {
        warnings.insert(Warning::Overlap { worker: *worker, date: *date, ticket: *other });
    }
    let needed = needed(ticket, &known.durations);
    for day in open().filter(|day| !known.trained.contains(&day.id)) {
        // Training opens with the day.
        let left = (day.deadline_at - now.max(day.starts_at)).max(TimeDelta::zero());
        if left < needed {
            warnings.insert(Warning::NoTime { date: day.date, needed, left });
        }
    }
    warnings.into_iter().collect()
}

/// Dates that `after` has and `before` had not, whose day was cancelled earlier.
pub fn staying_cancelled(before: &Ticket, after: &Ticket) -> Vec<Warning> {
    let is_on = |ticket: &Ticket, date| ticket.first_date <= date && date <= ticket.last_date;
    let over = before.days.iter().filter(|day| day.is_over()).map(|day| day.date);
    over.filter(|date| is_on(after, *date) && !is_on(before, *date))
        .map(|date| Warning::StaysCancelled { date })
        .collect()
}

/// How long a day's training takes at least.
fn needed(ticket: &Ticket, durations: &BTreeMap<VideoId, u32>) -> TimeDelta {
    let known = ticket.videos.iter().filter_map(|video| durations.get(video)).copied();
    let seconds: i64 = match ticket.terms.video_rule {
        VideoRule::All => known.map(i64::from).sum(),
        VideoRule::Any => known.min().map_or(0, i64::from),
    };
    TimeDelta::seconds(seconds)
}

#[cfg(test)]
mod tests;
