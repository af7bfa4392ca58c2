use service::Refusal;
use tonic::Status;
use types::ErrorCode;

use crate::app::Error;

/// The one table from what a use case says to what travels. Causes are logged here and go no further.
pub(super) fn status(err: Error) -> Status {
    refusal(err).into()
}

fn refusal(err: Error) -> Refusal {
    match err {
        Error::NotFound => Refusal::new(ErrorCode::NotFound),
        Error::Denied => Refusal::new(ErrorCode::PermissionDenied),
        Error::Invalid(problems) => {
            let invalid = Refusal::new(ErrorCode::ValidationFailed);
            problems.into_iter().fold(invalid, |refusal, bad| refusal.field(bad.field, bad.problem))
        }
        Error::BadCredentials => Refusal::new(ErrorCode::BadCredentials),
        Error::NotSignedIn => Refusal::new(ErrorCode::NotSignedIn),
        Error::TokenExpired => Refusal::new(ErrorCode::TokenExpired),
        Error::TooManyRequests { retry_after } => {
            // Rounded up: who waits as long as said is not refused again.
            let seconds = (retry_after.num_milliseconds() + 999) / 1000;
            Refusal::new(ErrorCode::TooManyRequests).data("retry_after_sec", seconds.max(1))
        }
        Error::WorkerNotFound { synced_at } => Refusal::new(ErrorCode::WorkerNotFoundInRealname)
            .data("roster_synced_at", synced_at.map(|at| at.to_rfc3339())),
        Error::SmsCodeWrong => Refusal::new(ErrorCode::SmsCodeWrong),
        Error::Upstream(upstream) => {
            Refusal::new(ErrorCode::UpstreamUnavailable).data("upstream", upstream)
        }
        Error::NotAllowed(reason) => Refusal::new(ErrorCode::StateConflict).data("reason", reason),
        Error::RosterAway { synced_at } => Refusal::new(ErrorCode::UpstreamUnavailable)
            .data("upstream", "realname")
            .data("roster_synced_at", synced_at.map(|at| at.to_rfc3339())),
        Error::RosterSuspect { synced_at, held, gone } => {
            Refusal::new(ErrorCode::UpstreamUnavailable)
                .data("upstream", "realname")
                .data("reason", "departures need to be accepted")
                .data("held", held)
                .data("gone", gone)
                .data("roster_synced_at", synced_at.map(|at| at.to_rfc3339()))
        }
        Error::ProjectNeeded { synced_at } => Refusal::new(ErrorCode::StateConflict)
            .data("reason", "there are other sites: settings.realname_project is needed")
            .data("roster_synced_at", synced_at.map(|at| at.to_rfc3339())),
        Error::WholeNumberNeeded => {
            Refusal::new(ErrorCode::ValidationFailed).field("id_no", "is needed whole on this site")
        }
        Error::SyncOvertaken => {
            Refusal::new(ErrorCode::StateConflict).data("reason", "a newer sync has begun")
        }
        // As if it were gone already.
        Error::Stopping => {
            Refusal::new(ErrorCode::UpstreamUnavailable).data("upstream", "directory")
        }
        Error::Claim(err) => Refusal::from(&err),
        Error::Store(err) => Refusal::from(&err),
        Error::Internal(what) => {
            tracing::error!(what, "internal error");
            Refusal::new(ErrorCode::Internal)
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use service::StoreError;

    use super::*;

    #[test]
    fn each_error_has_its_code() {
        for (err, code) in [
            (Error::NotFound, 40_400),
            (Error::Denied, 40_301),
            (Error::field("name", "is taken"), 40_001),
            (Error::BadCredentials, 40_103),
            (Error::NotSignedIn, 40_101),
            (Error::TokenExpired, 40_102),
            (Error::WorkerNotFound { synced_at: None }, 40_401),
            (Error::SmsCodeWrong, 40_015),
            (Error::Upstream("realname"), 50_301),
            (Error::RosterAway { synced_at: None }, 50_301),
            (Error::RosterSuspect { synced_at: None, held: 30, gone: 20 }, 50_301),
            (Error::ProjectNeeded { synced_at: None }, 40_902),
            (Error::WholeNumberNeeded, 40_001),
            (Error::SyncOvertaken, 40_902),
            (Error::Stopping, 50_301),
            (Error::NotAllowed("it is one's own account"), 40_902),
            (Error::Store(StoreError::Unavailable), 50_302),
            (Error::Internal("x"), 50_000),
        ] {
            assert_eq!(refusal(err).code.number(), code);
        }
    }

    #[test]
    fn whoever_waits_as_long_as_said_is_not_refused_again() {
        let waited = |retry_after| {
            refusal(Error::TooManyRequests { retry_after }).data["retry_after_sec"].clone()
        };
        assert_eq!(waited(TimeDelta::milliseconds(1001)), 2);
        assert_eq!(waited(TimeDelta::zero()), 1);
    }
}
