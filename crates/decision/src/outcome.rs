use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use types::{AreaId, DailyTicketId, Mend, ReasonCode};

/// What was decided, why, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub allow: bool,
    /// The first reason that holds, in the order of [`ReasonCode`]; present exactly when not allowed.
    pub reason: Option<ReasonCode>,
    /// What the reason means here, or on what ground it is allowed.
    pub detail: Detail,
    /// All that fails, in the same order, each with its mend; empty exactly when allowed.
    pub failing: Vec<Failing>,
    /// How long an allowance lasts at most (that instant no longer belongs to it). None for leaving and for refusals.
    pub until: Option<DateTime<Utc>>,
    /// The daily tickets that allow it; of a refusal, the one that answers (several when only the door's knowledge lacks).
    pub because: Vec<DailyTicketId>,
}

/// One condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    pub reason: ReasonCode,
    pub detail: Detail,
    pub mend: Mend,
}

/// What exactly holds or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Detail {
    /// Allowed: every condition holds.
    Well,
    /// Allowed: nobody is kept inside.
    Leaving,
    /// Allowed: the area was opened in an emergency.
    EmergencyOpen,

    /// `DEVICE_ERROR`: the controller cannot decide, or nothing is known of it.
    ControllerFailed,
    /// `DEVICE_ERROR`: all is well, and the door was proved to hold the grant.
    DoorRefusedProvedGrant,
    /// `DEVICE_ERROR`: leaving is always allowed.
    DoorRefusedLeaving,
    /// `NOT_IN_TICKET`: the face belongs to nobody known here.
    UnknownFace,
    /// `NOT_IN_TICKET`: a known worker on no live ticket.
    NoTicket,
    /// `AREA_NOT_ALLOWED`: the ticket is for these areas instead.
    OtherArea { allowed: Vec<AreaId> },
    /// `IDENTITY_NOT_BOUND`.
    NotBound,
    /// `TRAINING_INCOMPLETE`: not finished at that instant.
    NotTrained { deadline_at: DateTime<Utc> },
    /// `TRAINING_INCOMPLETE`: finished, but after the deadline, and not released.
    FinishedLate { completed_at: DateTime<Utc>, deadline_at: DateTime<Utc> },
    /// `OUT_OF_TIME_WINDOW`: not yet open.
    TooEarly { opens_at: DateTime<Utc> },
    /// `OUT_OF_TIME_WINDOW`: no longer open.
    TooLate { closed_at: DateTime<Utc> },
    /// `SYNC_PENDING`: all is well here.
    DoorDoesNotKnow,
}

impl Detail {
    /// The code this detail belongs to; none for what allows.
    pub const fn reason(&self) -> Option<ReasonCode> {
        Some(match self {
            Self::Well | Self::Leaving | Self::EmergencyOpen => return None,
            Self::ControllerFailed | Self::DoorRefusedProvedGrant | Self::DoorRefusedLeaving => {
                ReasonCode::DeviceError
            }
            Self::UnknownFace | Self::NoTicket => ReasonCode::NotInTicket,
            Self::OtherArea { .. } => ReasonCode::AreaNotAllowed,
            Self::NotBound => ReasonCode::IdentityNotBound,
            Self::NotTrained { .. } | Self::FinishedLate { .. } => ReasonCode::TrainingIncomplete,
            Self::TooEarly { .. } | Self::TooLate { .. } => ReasonCode::OutOfTimeWindow,
            Self::DoorDoesNotKnow => ReasonCode::SyncPending,
        })
    }
}

/// Why a door refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    pub reason: ReasonCode,
    pub source: Source,
    /// What our facts say, also beside a code the door reported; never an allowance.
    pub computed: Decision,
}

/// Where an explanation's code is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The door said it.
    Reported,
    /// Computed from what was true at the event's time.
    Computed,
}
