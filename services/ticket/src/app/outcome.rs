use std::collections::{BTreeMap, BTreeSet};

use auth::Caller;
use chrono::{DateTime, NaiveDate, Utc};
use service::{StoreError, Tx};
use types::{DailyTicketId, VideoId, WorkerId};

use super::references::Truth;
use super::{Error, reaches};
use crate::domain::{
    AccessCounts, Effects, Known, LastDay, Standings, Ticket, TrainingCounts, Warning,
    staying_cancelled, warnings,
};
use crate::store::{Versioned, engagements, known, standings};
use crate::wire::Changes;

/// What a change of a ticket brought, or would bring.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// As it is after the change; a preview's is not kept.
    pub ticket: Versioned<Ticket>,
    pub effects: Effects,
    pub warnings: Vec<Warning>,
    /// The fields that change.
    pub changes: Changes,
    /// When the roster was last read, where it was asked about workers.
    pub roster_synced_at: Option<DateTime<Utc>>,
}

/// What was asked of the owners just now, beside what is kept of their facts.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) unbound: BTreeSet<WorkerId>,
    pub(super) asked: BTreeSet<WorkerId>,
    /// Of those asked about, who is not among the site's people the caller knows.
    pub(super) gone: BTreeSet<WorkerId>,
    pub(super) engaged_until: BTreeMap<WorkerId, NaiveDate>,
    pub(super) durations: BTreeMap<VideoId, u32>,
    pub(super) roster_synced_at: Option<DateTime<Utc>>,
}

impl From<&Truth> for Told {
    fn from(truth: &Truth) -> Self {
        Self {
            unbound: truth.unbound_workers.clone(),
            asked: truth.asked_workers.clone(),
            gone: truth.unknown_workers.clone(),
            engaged_until: truth.engaged_until.clone(),
            durations: truth.videos.iter().map(|(id, video)| (*id, video.duration_sec)).collect(),
            roster_synced_at: truth.roster_synced_at.filter(|_| !truth.asked_workers.is_empty()),
        }
    }
}

/// What was told just now stands against what is kept.
impl Told {
    fn unbound(&self, kept: &mut BTreeSet<WorkerId>) {
        kept.retain(|worker| !self.asked.contains(worker) || self.gone.contains(worker));
        kept.extend(&self.unbound);
    }

    fn last_days(&self, kept: &mut BTreeMap<WorkerId, LastDay>, today: NaiveDate) {
        for worker in &self.asked {
            let before = kept.remove(worker);
            let last_day = if self.gone.contains(worker) {
                // When they left, a fact says that may still be on its way.
                let date = before.map_or(today, |before| before.date.min(today));
                Some(LastDay { date, gone: true })
            } else {
                self.engaged_until.get(worker).map(|date| LastDay { date: *date, gone: false })
            };
            kept.extend(last_day.map(|last_day| (*worker, last_day)));
        }
    }
}

/// Compares the ticket before and after a change, by what is known in this transaction.
pub(super) async fn outcome(
    tx: &mut Tx,
    caller: &Caller,
    before: &Ticket,
    ticket: Versioned<Ticket>,
    told: Told,
    now: DateTime<Utc>,
) -> Result<Outcome, Error> {
    let standings = standings::of_ticket(tx, before.id).await?;
    let effects = Effects::of(before, &ticket.value, &standings, now);
    let trained = trained(&ticket.value, &standings);
    let roster_synced_at = told.roster_synced_at;
    let mut all = self::warnings_of(tx, caller, &ticket.value, trained, told, now).await?;
    all.extend(staying_cancelled(before, &ticket.value));
    all.sort();
    let changes = Changes::of(before, &ticket.value);
    Ok(Outcome { ticket, effects, warnings: all, changes, roster_synced_at })
}

/// The days on which every worker has trained, by how many have.
pub(super) fn trained_by(
    counts: &BTreeMap<DailyTicketId, (TrainingCounts, AccessCounts)>,
) -> BTreeSet<DailyTicketId> {
    let days = counts.iter().filter(|(_, (training, _))| training.completed == training.required);
    days.map(|(day, _)| *day).collect()
}

/// The same by who has, where that is known in any case.
fn trained(ticket: &Ticket, standings: &Standings) -> BTreeSet<DailyTicketId> {
    let days = ticket.days.iter().filter(|day| {
        let is_trained = |worker| {
            standings.get(&(day.id, worker)).is_some_and(|standing| standing.completed.is_some())
        };
        ticket.workers.iter().all(|worker| is_trained(*worker))
    });
    days.map(|day| day.id).collect()
}

/// What to know about a ticket at `now`; `trained` are the days on which every worker has.
pub(super) async fn warnings_of(
    tx: &mut Tx,
    caller: &Caller,
    ticket: &Ticket,
    trained: BTreeSet<DailyTicketId>,
    told: Told,
    now: DateTime<Utc>,
) -> Result<Vec<Warning>, StoreError> {
    let mut known = Known {
        unbound: known::unbound(tx, &ticket.workers).await?,
        last_days: engagements::last_days(tx, ticket.site, &ticket.workers).await?,
        durations: known::durations(tx, &ticket.videos).await?,
        trained,
        ..Known::default()
    };
    told.last_days(&mut known.last_days, ticket.terms.zone.date_at(now));
    told.unbound(&mut known.unbound);
    known.durations.extend(told.durations);
    let overlaps = known::overlaps(tx, ticket, now).await?;
    known.overlaps = overlaps
        .into_iter()
        .map(|other| {
            let seen = reaches(caller, other.site, other.contractor);
            (other.worker, other.date, seen.then_some(other.ticket))
        })
        .collect();
    Ok(warnings(ticket, &known, now))
}
