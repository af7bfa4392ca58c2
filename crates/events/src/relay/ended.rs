//! How a term of leadership ends, and when the next may begin.

use std::time::Duration;

use service::StoreError;

/// Why a leader stops publishing. Each reason is met by looking what the stream holds, and each but [`Self::Renewed`] by
/// taking the lead again before that.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("another relay has taken the lead")]
    Fenced,
    #[error("the broker: {0}")]
    Broker(String),
    #[error("the connection to the broker was made anew")]
    Renewed,
}

impl From<sqlx::Error> for Ended {
    fn from(err: sqlx::Error) -> Self {
        Self::Store(err.into())
    }
}

impl Ended {
    pub(super) fn broker(err: impl std::fmt::Display) -> Self {
        Self::Broker(err.to_string())
    }

    /// Before the lead is taken again: `wait`, but for a relay that cannot reach the broker so long that another replica,
    /// which may reach it, looks for the lead before.
    pub(super) fn pause(&self, wait: Duration, poll: Duration) -> Duration {
        if matches!(self, Self::Broker(_)) { wait.max(poll * 2) } else { wait }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use service::StoreError;

    use super::Ended;
    use crate::relay::FIRST_WAIT;

    #[test]
    fn a_leader_that_cannot_reach_the_broker_leaves_the_lead_to_who_may() {
        let poll = Duration::from_millis(250);
        assert!(Ended::broker("timed out").pause(FIRST_WAIT, poll) > poll);
        assert_eq!(Ended::Store(StoreError::Unavailable).pause(FIRST_WAIT, poll), FIRST_WAIT);
    }
}
