use service::StoreError;
use service::idempotency::ClaimError;

use crate::domain::NotAllowed;

/// Why a use case did not do what was asked, by what a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such thing within the caller's reach")]
    NotFound,
    #[error(transparent)]
    Refused(#[from] NotAllowed),
    #[error("the key was used for another request")]
    KeyReused,
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
