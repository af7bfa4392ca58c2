//! What a change of a ticket brings: who gains or loses which area when, and who has to train again. Compares the
//! ticket before and after, so that a preview and the command it is of say the same.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use types::{AreaId, DailyTicketId, InstantWindow, VideoId, WorkerId};

use super::daily_ticket::{DailyTicket, DayStatus};
use super::terms::VideoRule;
use super::ticket::Ticket;

/// Access effects that are listed; the rest is counted. A ticket of 2,000 workers and 31 days has more than a page can
/// show or a message can carry.
pub const MOST_LISTED: usize = 5_000;

/// What others told of a worker's day, as far as it decides what a change brings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// When the day's training was complete, and whether that was in time by the deadline then.
    pub completed: Option<(DateTime<Utc>, bool)>,
    /// Areas with a grant that is not revoked.
    pub held: BTreeSet<AreaId>,
    /// Videos of the day watched to their end, whether the ticket asks for them or not, and when, where that is known.
    pub watched: BTreeMap<VideoId, Option<DateTime<Utc>>>,
    /// Finished late and was let in by hand since.
    pub released: bool,
}

/// Of whom nothing was told is not in it.
pub type Standings = BTreeMap<(DailyTicketId, WorkerId), Standing>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessChange {
    Gains { to: InstantWindow },
    Loses { from: InstantWindow },
    Moved { from: InstantWindow, to: InstantWindow },
}

/// One worker, one area, one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessEffect {
    pub worker: WorkerId,
    pub area: AreaId,
    pub date: NaiveDate,
    pub change: AccessChange,
}

/// Whose finished training is not all any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retraining {
    pub day: DailyTicketId,
    pub worker: WorkerId,
    pub date: NaiveDate,
    /// What they have to watch; of an ANY ticket one of it.
    pub missing: Vec<VideoId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayEffect {
    Added {
        after: DailyTicket,
    },
    /// A draft's day is gone.
    Removed {
        before: DailyTicket,
    },
    Cancelled {
        before: DailyTicket,
        after: DailyTicket,
    },
    /// Over at once, by its new times.
    Expired {
        before: DailyTicket,
        after: DailyTicket,
    },
    /// Another window, deadline or end.
    Moved {
        before: DailyTicket,
        after: DailyTicket,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// At most [`MOST_LISTED`], by date, worker and area.
    pub access: Vec<AccessEffect>,
    pub gains: u32,
    pub loses: u32,
    pub moved: u32,
    pub retraining: Vec<Retraining>,
    /// What one or another of them has to watch.
    pub missing: Vec<VideoId>,
    pub days: Vec<DayEffect>,
}

impl Effects {
    /// Of a change at `now`. Without a change there are none.
    pub fn of(before: &Ticket, after: &Ticket, standings: &Standings, now: DateTime<Utc>) -> Self {
        if before == after {
            return Self::default();
        }
        let mut effects = Self { days: days(before, after), ..Self::default() };
        let mut lacking = BTreeSet::new();
        let (old_workers, new_workers) = (set(&before.workers), set(&after.workers));
        let (old_areas, new_areas) = (set(&before.areas), set(&after.areas));
        let unknown = Standing::default();
        for day in days_of_both(before, after) {
            let (old, new) = (on(before, day), on(after, day));
            let Some(date) = new.or(old).map(|day| day.date) else { continue };
            for worker in old_workers.union(&new_workers).copied() {
                let standing = standings.get(&(day, worker)).unwrap_or(&unknown);
                let stays =
                    new_workers.contains(&worker) && new.is_some_and(|day| !day.is_done(now));
                let missing = if stays && standing.completed.is_some() {
                    let judged = old_workers.contains(&worker).then_some(before);
                    missing(judged, after, &standing.watched)
                } else {
                    Vec::new()
                };
                let again = !missing.is_empty();
                if again {
                    lacking.extend(missing.iter().copied());
                    effects.retraining.push(Retraining { day, worker, date, missing });
                }
                let finished = |ticket| finished(ticket, standing);
                let from = window(old, standing, finished(before), now)
                    .filter(|_| old_workers.contains(&worker));
                let to = window(new, standing, finished(after), now).filter(|_| stays && !again);
                for area in old_areas.union(&new_areas).copied() {
                    let from = from.filter(|_| old_areas.contains(&area));
                    let to = to.filter(|_| new_areas.contains(&area));
                    effects.add(AccessEffect {
                        worker,
                        area,
                        date,
                        change: match (from, to) {
                            (None, Some(to)) => AccessChange::Gains { to },
                            (Some(from), None) => AccessChange::Loses { from },
                            (Some(from), Some(to)) if from != to => {
                                AccessChange::Moved { from, to }
                            }
                            _ => continue,
                        },
                    });
                }
            }
        }
        let missing = after.videos.iter().copied().filter(|video| lacking.contains(video));
        effects.missing = missing.collect();
        effects
    }

    pub fn left_off(&self) -> u32 {
        let listed = u32::try_from(self.access.len()).unwrap_or(u32::MAX);
        (self.gains + self.loses + self.moved).saturating_sub(listed)
    }

    fn add(&mut self, effect: AccessEffect) {
        match effect.change {
            AccessChange::Gains { .. } => self.gains += 1,
            AccessChange::Loses { .. } => self.loses += 1,
            AccessChange::Moved { .. } => self.moved += 1,
        }
        if self.access.len() < MOST_LISTED {
            self.access.push(effect);
        }
    }
}

/// When a day's training was complete, and whether that was in time by the deadline then. Who was not told to be complete
/// is by what they watched, where the ticket asks for no more: training judges them so at its change.
fn finished(ticket: &Ticket, standing: &Standing) -> Option<(DateTime<Utc>, bool)> {
    let watched = || {
        let mut times = ticket.videos.iter().map(|video| standing.watched.get(video).copied()?);
        match ticket.terms.video_rule {
            VideoRule::All => times.collect::<Option<Vec<_>>>()?.into_iter().max(),
            VideoRule::Any => times.by_ref().flatten().min(),
        }
    };
    standing.completed.or_else(|| Some((watched()?, false)))
}

/// The window in which one who is named may pass on a day once trained; `None` where there is none any more. Who finished
/// after the deadline, or can only finish after it, and was not released may not: access-grant's rule.
fn window(
    day: Option<&DailyTicket>,
    standing: &Standing,
    finished: Option<(DateTime<Utc>, bool)>,
    now: DateTime<Utc>,
) -> Option<InstantWindow> {
    let day = day.filter(|day| {
        matches!(day.status(), DayStatus::Published | DayStatus::InProgress)
            && !day.is_done(now)
            && now < day.window.end
    })?;
    let let_in = standing.released || !standing.held.is_empty();
    let (finished_at, in_time) = finished.unwrap_or((now, false));
    (let_in || in_time || finished_at <= day.deadline_at).then_some(day.window)
}

/// The videos that somebody who has completed a day, and was told to have `watched` some, still has to watch after.
/// Whoever `before` named was complete by it, which says more: under ALL every video was watched, under ANY of several
/// one that may be untold, and then it is said rather once too often.
fn missing(
    before: Option<&Ticket>,
    after: &Ticket,
    watched: &BTreeMap<VideoId, Option<DateTime<Utc>>>,
) -> Vec<VideoId> {
    let all = before
        .filter(|ticket| ticket.terms.video_rule == VideoRule::All || ticket.videos.len() == 1);
    let said = all.map(|ticket| ticket.videos.as_slice()).unwrap_or_default();
    let has = |video: &VideoId| watched.contains_key(video) || said.contains(video);
    let whichever =
        before.is_some_and(|ticket| ticket.videos.iter().all(|video| after.videos.contains(video)));
    match after.terms.video_rule {
        VideoRule::All => after.videos.iter().copied().filter(|video| !has(video)).collect(),
        VideoRule::Any if whichever || after.videos.iter().any(has) => Vec::new(),
        VideoRule::Any => after.videos.clone(),
    }
}

fn days(before: &Ticket, after: &Ticket) -> Vec<DayEffect> {
    days_of_both(before, after)
        .into_iter()
        .filter_map(|id| match (on(before, id).cloned(), on(after, id).cloned()) {
            (None, Some(after)) => Some(DayEffect::Added { after }),
            (Some(before), None) => Some(DayEffect::Removed { before }),
            (Some(before), Some(after)) if !before.is_over() => match after.status() {
                DayStatus::Cancelled => Some(DayEffect::Cancelled { before, after }),
                DayStatus::Expired => Some(DayEffect::Expired { before, after }),
                _ => {
                    let times = |day: &DailyTicket| (day.window, day.deadline_at, day.expires_at);
                    (times(&before) != times(&after)).then_some(DayEffect::Moved { before, after })
                }
            },
            _ => None,
        })
        .collect()
}

/// By date.
fn days_of_both(before: &Ticket, after: &Ticket) -> Vec<DailyTicketId> {
    let gone = before.days.iter().filter(|day| on(after, day.id).is_none());
    let mut days: Vec<&DailyTicket> = after.days.iter().chain(gone).collect();
    days.sort_by_key(|day| day.date);
    days.into_iter().map(|day| day.id).collect()
}

fn on(ticket: &Ticket, day: DailyTicketId) -> Option<&DailyTicket> {
    ticket.day(day)
}

fn set<T: Copy + Ord>(ids: &[T]) -> BTreeSet<T> {
    ids.iter().copied().collect()
}

#[cfg(test)]
mod tests;
