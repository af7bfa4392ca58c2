use chrono::{DateTime, TimeDelta, Utc};
use service::StoreError;
use service::idempotency::ClaimError;
use types::FieldProblem;

/// What a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("not found")]
    NotFound,
    /// A service asks for what is another's to know.
    #[error("not for this caller")]
    Denied,
    #[error("a field is not right")]
    Invalid(Vec<FieldProblem>),
    #[error("wrong user name or password")]
    BadCredentials,
    #[error("not signed in")]
    NotSignedIn,
    #[error("the sign-in has expired")]
    TokenExpired,
    #[error("too many requests")]
    TooManyRequests { retry_after: TimeDelta },
    /// As old as the roster is: they may be on a newer one. None was ever read where there is no instant.
    #[error("no such person on the roster")]
    WorkerNotFound { synced_at: Option<DateTime<Utc>> },
    #[error("the code is wrong, used or expired")]
    SmsCodeWrong,
    #[error("{0} does not answer")]
    Upstream(&'static str),
    #[error("not allowed: {0}")]
    NotAllowed(&'static str),
    /// What was read last stays in force; none was ever read where there is no instant.
    #[error("the real-name system gives no roster")]
    RosterAway { synced_at: Option<DateTime<Utc>> },
    /// It lacks more of the site's people than leave at once; what was read last stays in force.
    #[error("the roster lacks {gone} of {held} people")]
    RosterSuspect { synced_at: Option<DateTime<Utc>>, held: usize, gone: usize },
    /// Everybody on the roster would be taken for people of this site, though there are others.
    #[error("the site has no project code")]
    ProjectNeeded { synced_at: Option<DateTime<Utc>> },
    /// The last six characters of an identity number, where the site asks for all of it.
    #[error("the whole identity number is needed")]
    WholeNumberNeeded,
    #[error("a newer reading of the roster has begun")]
    SyncOvertaken,
    /// Another process, or this one when it is back, does what is asked.
    #[error("the service is stopping")]
    Stopping,
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl Error {
    pub(crate) fn field(field: &str, problem: &str) -> Self {
        Self::Invalid(vec![FieldProblem::new(field, problem)])
    }

    /// A broken unique constraint is an answer: the field that holds what somebody else has.
    pub(crate) fn taken(err: StoreError, constraints: &[(&str, &str)]) -> Self {
        let broken = err.constraint();
        match constraints.iter().find(|(constraint, _)| broken == Some(*constraint)) {
            Some((_, field)) => Self::field(field, "is taken"),
            None => Self::Store(err),
        }
    }
}
