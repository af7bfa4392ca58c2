use chrono::{DateTime, Utc};
use types::{
    AccessGroupId, AreaId, ContractorId, DailyTicketId, FaceId, GrantId, InstantWindow, SiteId,
    SiteZone, TicketId, WorkerId,
};

use super::backoff;

/// One worker, one area, one daily ticket: what the area's doors should hold, what was sent, what was seen there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    pub site: SiteId,
    pub contractor: ContractorId,
    pub ticket: TicketId,
    pub day: DailyTicketId,
    pub worker: WorkerId,
    pub area: AreaId,
    pub aim: Aim,
    /// Counts changes of the aim and of being live. What a door answers about an earlier one counts for nothing.
    pub revision: u64,
    pub state: State,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    /// When a door was last seen to hold it as it should.
    pub proved_at: Option<DateTime<Utc>>,
    /// Failures in a row.
    pub attempts: u32,
    /// A code, never what a door wrote.
    pub last_error: Option<String>,
    /// When a door has to be called next, site time; `None` when there is nothing to do.
    pub due_at: Option<DateTime<Utc>>,
    /// The trace of the fact behind the aim.
    pub traceparent: Option<String>,
    pub version: u64,
}

/// What a door should hold. Without a face or a group it cannot be told yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    pub window: InstantWindow,
    pub zone: SiteZone,
    pub face: Option<FaceId>,
    pub group: Option<AccessGroupId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    /// A door was seen to hold it.
    Synced,
    Failed,
    Revoked {
        reason: RevokeReason,
        at: DateTime<Utc>,
        /// When the doors were seen without it; until then it may still open.
        proved_at: Option<DateTime<Utc>>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeReason {
    Cancelled,
    Removed,
    AreaChanged,
    Expired,
    /// The ticket came to ask for more than was watched.
    TrainingReopened,
}

/// What was found out about a grant at its door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Held with the right face and window.
    Right,
    /// Not held at all; `why`, where the call just before was refused.
    Missing { why: Option<String> },
    /// Held with another face or window.
    Different { why: Option<String> },
    /// The door or what leads to it did not answer; says nothing about what it holds.
    Unknown { error: String },
}

/// What a sight changed, for whoever tells others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It became proved.
    Synced,
    /// It became failed.
    Failed,
    /// Its revocation became proved.
    Withdrawn,
    Nothing,
}

impl Aim {
    /// Whether a door can be told.
    pub fn is_complete(&self) -> bool {
        self.face.is_some() && self.group.is_some()
    }

    /// Keeps the face and group that doors were told, where none is known any more: they still hold them.
    #[must_use]
    pub fn or_known(self, told: &Self) -> Self {
        let face = self.face.or_else(|| told.face.clone());
        let group = self.group.or_else(|| told.group.clone());
        Self { face, group, ..self }
    }
}

impl Grant {
    pub fn is_live(&self) -> bool {
        !matches!(self.state, State::Revoked { .. })
    }

    pub fn is_synced(&self) -> bool {
        self.state == State::Synced
    }

    /// Points a live grant at a new aim. The same aim again changes nothing and answers `false`.
    pub fn aim_at(&mut self, aim: Aim, now: DateTime<Utc>) -> bool {
        if !self.is_live() || self.aim == aim {
            return false;
        }
        self.aim = aim;
        self.begin(State::Pending, now);
        true
    }

    /// Ends a live grant. An ended one stays as it ended.
    pub fn revoke(&mut self, reason: RevokeReason, now: DateTime<Utc>) -> bool {
        if !self.is_live() {
            return false;
        }
        // Without a group no door can ever have been told.
        let proved_at = self.aim.group.is_none().then_some(now);
        self.begin(State::Revoked { reason, at: now, proved_at }, now);
        true
    }

    /// Makes an ended grant live again: a worker or an area is back on the ticket.
    pub fn revive(&mut self, aim: Aim, now: DateTime<Utc>) -> bool {
        if self.is_live() {
            return false;
        }
        self.aim = aim;
        self.begin(State::Pending, now);
        true
    }

    /// Asks for another push and read-back, or removal. What is proved stays proved meanwhile. Asking again before what
    /// was found at the door is taken in changes nothing and answers `false`: a push under way counts as still to come.
    pub fn resync(&mut self, now: DateTime<Utc>) -> bool {
        if self.attempts == 0 && self.due_at.is_some_and(|due_at| due_at <= now) {
            return false;
        }
        if self.state == State::Failed {
            self.state = State::Pending;
        }
        self.attempts = 0;
        self.schedule(now);
        true
    }

    /// A door was called for it, whatever came of that.
    pub fn sent(&mut self, at: DateTime<Utc>) {
        self.sent_at = Some(at);
    }

    /// Takes in what was found at the door after a push or removal, or on a round of reading.
    pub fn saw(&mut self, sight: Sight, at: DateTime<Utc>) -> Step {
        match (self.state, sight) {
            (State::Revoked { reason, at: revoked_at, proved_at }, Sight::Missing { .. }) => {
                self.state =
                    State::Revoked { reason, at: revoked_at, proved_at: proved_at.or(Some(at)) };
                self.rest();
                if proved_at.is_none() { Step::Withdrawn } else { Step::Nothing }
            }
            (
                State::Revoked { reason, at: revoked_at, .. },
                Sight::Right | Sight::Different { .. },
            ) => {
                self.state = State::Revoked { reason, at: revoked_at, proved_at: None };
                self.retry("STILL_AT_DOOR", at);
                Step::Nothing
            }
            // A door that does not answer does not refute what it was seen to hold, or not to hold.
            (State::Revoked { .. } | State::Synced, Sight::Unknown { error }) => {
                self.retry(&error, at);
                Step::Nothing
            }
            (before, Sight::Right) => {
                self.state = State::Synced;
                self.proved_at = Some(at);
                self.rest();
                if before == State::Synced { Step::Nothing } else { Step::Synced }
            }
            (_, Sight::Missing { why }) => self.fail(why.as_deref().unwrap_or("NOT_AT_DOOR"), at),
            (_, Sight::Different { why }) => {
                self.fail(why.as_deref().unwrap_or("DIFFERENT_AT_DOOR"), at)
            }
            (_, Sight::Unknown { error }) => self.fail(&error, at),
        }
    }

    fn fail(&mut self, error: &str, at: DateTime<Utc>) -> Step {
        let before = self.state;
        self.state = State::Failed;
        self.retry(error, at);
        if before == State::Failed { Step::Nothing } else { Step::Failed }
    }

    fn retry(&mut self, error: &str, at: DateTime<Utc>) {
        self.attempts = self.attempts.saturating_add(1);
        self.last_error = Some(error.to_owned());
        self.due_at = Some(at + backoff(self.attempts));
    }

    fn rest(&mut self) {
        self.attempts = 0;
        self.last_error = None;
        self.due_at = None;
    }

    fn begin(&mut self, state: State, now: DateTime<Utc>) {
        self.state = state;
        self.revision += 1;
        self.attempts = 0;
        self.schedule(now);
    }

    /// Sets what is due: nothing, where no door can be told or none has to be.
    pub(super) fn schedule(&mut self, now: DateTime<Utc>) {
        let (due, waits_for) = match self.state {
            State::Revoked { .. } => (self.aim.group.is_some(), None),
            _ if self.aim.group.is_none() => (false, Some("AREA_UNKNOWN")),
            _ if self.aim.face.is_none() => (false, Some("FACE_UNKNOWN")),
            _ => (true, None),
        };
        self.due_at = due.then_some(now);
        self.last_error = waits_for.map(str::to_owned);
    }
}

impl State {
    /// The name on every wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING_SYNC",
            Self::Synced => "SYNCED",
            Self::Failed => "SYNC_FAILED",
            Self::Revoked { .. } => "REVOKED",
        }
    }
}

impl RevokeReason {
    pub const ALL: [Self; 5] =
        [Self::Cancelled, Self::Removed, Self::AreaChanged, Self::Expired, Self::TrainingReopened];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::Removed => "REMOVED",
            Self::AreaChanged => "AREA_CHANGED",
            Self::Expired => "EXPIRED",
            Self::TrainingReopened => "TRAINING_REOPENED",
        }
    }
}

#[cfg(test)]
mod tests;
