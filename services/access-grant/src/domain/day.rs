use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use types::{
    AreaId, ContractorId, DailyTicketId, InstantWindow, SiteId, SiteZone, TicketId, WorkerId,
};

use super::grant::RevokeReason;

/// One date of a work ticket, as it now is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub id: DailyTicketId,
    pub ticket: TicketId,
    pub site: SiteId,
    pub contractor: ContractorId,
    pub zone: SiteZone,
    pub state: DayState,
    pub window: InstantWindow,
    pub deadline_at: DateTime<Utc>,
    pub areas: BTreeSet<AreaId>,
    pub workers: BTreeSet<WorkerId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayState {
    Draft,
    /// Published, begun or not.
    Open,
    Expired,
    Cancelled,
}

/// How far a worker's training for a day is; exists once it is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Training {
    pub worker: WorkerId,
    pub completed_at: DateTime<Utc>,
    /// As training judged it, by the deadline in force then: tightening it later takes nothing back.
    pub in_time: bool,
    pub released: bool,
    /// The ticket came to ask for more since: it is not complete any more.
    pub reopened: bool,
}

impl Day {
    /// Whether that training earns access: in time by the deadline then or now, or released by hand.
    pub fn earns(&self, training: &Training) -> bool {
        if training.reopened {
            return false;
        }
        training.in_time || training.released || training.completed_at <= self.deadline_at
    }

    /// Why nobody, this worker or this area may hold a grant of this day; `None` where they may.
    pub fn bars(&self, worker: WorkerId, area: AreaId) -> Option<RevokeReason> {
        match self.state {
            DayState::Cancelled | DayState::Draft => Some(RevokeReason::Cancelled),
            DayState::Expired => Some(RevokeReason::Expired),
            DayState::Open if !self.workers.contains(&worker) => Some(RevokeReason::Removed),
            DayState::Open if !self.areas.contains(&area) => Some(RevokeReason::AreaChanged),
            DayState::Open => None,
        }
    }
}
