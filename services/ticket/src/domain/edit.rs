use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use types::AccountId;

/// What a person did to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Created,
    Published,
    Amended,
    Cancelled,
    DayCancelled,
}

/// Text that is no action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known action")]
pub struct UnknownAction;

/// A line of a ticket's history: never changed, one for each of its revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub revision: u64,
    pub action: Action,
    pub by: AccountId,
    pub at: DateTime<Utc>,
    pub reason: Option<String>,
    /// The fields that changed, JSON; none before the first edit.
    pub before: Option<String>,
    pub after: String,
}

impl Action {
    const ALL: [Self; 5] =
        [Self::Created, Self::Published, Self::Amended, Self::Cancelled, Self::DayCancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Published => "PUBLISHED",
            Self::Amended => "AMENDED",
            Self::Cancelled => "CANCELLED",
            Self::DayCancelled => "DAY_CANCELLED",
        }
    }

    /// The same in the audit log.
    pub const fn audited(self) -> &'static str {
        match self {
            Self::Created => "ticket.create",
            Self::Published => "ticket.publish",
            Self::Amended => "ticket.amend",
            Self::Cancelled => "ticket.cancel",
            Self::DayCancelled => "ticket.cancel_day",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or(UnknownAction)
    }
}
