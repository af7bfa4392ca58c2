use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Language, Mend};

/// Text that names no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known reason code")]
pub struct UnknownReason;

/// Why a door refuses, in the order the reasons are tested: what the worker can least mend comes first, and
/// [`Ord`] follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReasonCode {
    /// The controller cannot decide, or a door proved to hold the grant refused all the same.
    DeviceError,
    /// On no live ticket of this site that day; an unknown face too.
    NotInTicket,
    /// On a ticket, but for other areas.
    AreaNotAllowed,
    /// Neither bound nor otherwise identified today.
    IdentityNotBound,
    /// Today's training is missing, or was finished after the deadline and not released.
    TrainingIncomplete,
    /// Before or after the ticket's window.
    OutOfTimeWindow,
    /// All is well here, the door does not know it yet.
    SyncPending,
}

impl ReasonCode {
    pub const ALL: &'static [Self] = &[
        Self::DeviceError,
        Self::NotInTicket,
        Self::AreaNotAllowed,
        Self::IdentityNotBound,
        Self::TrainingIncomplete,
        Self::OutOfTimeWindow,
        Self::SyncPending,
    ];

    /// The stable name on every wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeviceError => "DEVICE_ERROR",
            Self::NotInTicket => "NOT_IN_TICKET",
            Self::AreaNotAllowed => "AREA_NOT_ALLOWED",
            Self::IdentityNotBound => "IDENTITY_NOT_BOUND",
            Self::TrainingIncomplete => "TRAINING_INCOMPLETE",
            Self::OutOfTimeWindow => "OUT_OF_TIME_WINDOW",
            Self::SyncPending => "SYNC_PENDING",
        }
    }

    /// The one action that usually mends it; where more is known (finished late, too late in the day) `decision` is
    /// more exact.
    pub const fn action(self) -> Mend {
        match self {
            Self::DeviceError => Mend::USE_OTHER_DOOR,
            Self::NotInTicket => Mend::ADD_TO_TICKET,
            Self::AreaNotAllowed => Mend::ISSUE_TICKET_FOR_AREA,
            Self::IdentityNotBound => Mend::BIND,
            Self::TrainingIncomplete => Mend::FINISH_TRAINING,
            Self::OutOfTimeWindow => Mend::COME_IN_WINDOW,
            Self::SyncPending => Mend::WAIT_FOR_SYNC,
        }
    }

    /// Why, to be shown to the refused person.
    pub const fn sentence(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::DeviceError, Language::ZhCn) => "门禁设备异常",
            (Self::DeviceError, Language::En) => "The door is not working",
            (Self::NotInTicket, Language::ZhCn) => "不在今天的作业票上",
            (Self::NotInTicket, Language::En) => "Not on a work ticket of today",
            (Self::AreaNotAllowed, Language::ZhCn) => "作业票不包含这个区域",
            (Self::AreaNotAllowed, Language::En) => "The work ticket is for another area",
            (Self::IdentityNotBound, Language::ZhCn) => "尚未绑定身份",
            (Self::IdentityNotBound, Language::En) => "The identity is not bound",
            (Self::TrainingIncomplete, Language::ZhCn) => "今天的安全培训未按时完成",
            (Self::TrainingIncomplete, Language::En) => {
                "Today's safety training was not finished in time"
            }
            (Self::OutOfTimeWindow, Language::ZhCn) => "不在允许的时间段内",
            (Self::OutOfTimeWindow, Language::En) => "Outside the allowed time window",
            (Self::SyncPending, Language::ZhCn) => "授权尚未同步到门禁",
            (Self::SyncPending, Language::En) => "The door has not taken the access over yet",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReasonCode {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or(UnknownReason)
    }
}

#[cfg(test)]
mod tests {
    use super::{ReasonCode, UnknownReason};
    use crate::{Language, Mend};
    use std::collections::HashSet;

    #[test]
    fn the_order_is_the_one_in_which_reasons_are_tested() {
        let names: Vec<_> = ReasonCode::ALL.iter().map(|reason| reason.as_str()).collect();
        let order = [
            "DEVICE_ERROR",
            "NOT_IN_TICKET",
            "AREA_NOT_ALLOWED",
            "IDENTITY_NOT_BOUND",
            "TRAINING_INCOMPLETE",
            "OUT_OF_TIME_WINDOW",
            "SYNC_PENDING",
        ];
        assert_eq!(names, order);
        assert!(ReasonCode::ALL.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn a_reason_reads_back_as_it_was_written() {
        for reason in ReasonCode::ALL {
            assert_eq!(reason.to_string().parse(), Ok(*reason));
            let written = serde_json::to_string(reason).unwrap();
            assert_eq!(written, format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<ReasonCode>(&written).unwrap(), *reason);
        }
        for unknown in ["", "sync_pending", "SYNC", "OK"] {
            assert_eq!(unknown.parse::<ReasonCode>(), Err(UnknownReason));
        }
    }

    #[test]
    fn each_reason_is_said_and_mended_in_its_own_way_in_each_language() {
        for language in Language::ALL {
            let said: HashSet<_> =
                ReasonCode::ALL.iter().map(|reason| reason.sentence(*language)).collect();
            let mended: HashSet<_> =
                Mend::ALL.iter().map(|mend| mend.sentence(*language)).collect();
            assert_eq!((said.len(), mended.len()), (ReasonCode::ALL.len(), Mend::ALL.len()));
        }
        let actions: HashSet<_> = ReasonCode::ALL.iter().map(|reason| reason.action()).collect();
        assert_eq!(actions.len(), ReasonCode::ALL.len());
    }
}
