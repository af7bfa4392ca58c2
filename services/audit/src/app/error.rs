use service::{Refusal, StoreError};
use types::ErrorCode;

/// What a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Outside the caller's sites, or not there.
    #[error("not found")]
    NotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        match err {
            Error::NotFound => Self::new(ErrorCode::NotFound),
            Error::Store(err) => (&err).into(),
        }
    }
}
