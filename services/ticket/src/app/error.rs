use service::idempotency::ClaimError;
use service::{Refusal, StoreError};

use crate::domain::NotAllowed;

/// Why a use case did not do what was asked, by what a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such thing within the caller's reach")]
    NotFound,
    #[error("only an account gives this command")]
    Denied,
    /// Somebody edited the ticket since the caller read it.
    #[error("the ticket was edited meanwhile")]
    Stale,
    /// What of the request takes a permission that the caller has not.
    #[error("the caller may not change all of that")]
    Forbidden(Refusal),
    /// Every bad field.
    #[error("the request does not fit")]
    Invalid(Refusal),
    #[error(transparent)]
    Refused(#[from] NotAllowed),
    #[error("the key was used for another request")]
    KeyReused,
    /// What another service, asked for a fresh truth, answered instead of it.
    #[error("another service gave no answer")]
    Peer(Refusal),
    /// What another service answered makes no sense.
    #[error("{service} answered nonsense: {problem}")]
    Nonsense { service: &'static str, problem: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ClaimError> for Error {
    fn from(err: ClaimError) -> Self {
        match err {
            ClaimError::Reused => Self::KeyReused,
            ClaimError::Store(err) => Self::Store(err),
        }
    }
}
