use schedule::LeaseLost;
use service::{Refusal, StoreError};
use types::ErrorCode;

use crate::domain::Broken;

use crate::archive::ArchiveError;

/// What a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Outside the caller's sites, or not there.
    #[error("not found")]
    NotFound,
    /// The cursor is of another question, or of an earlier release.
    #[error("the cursor does not fit the question")]
    CursorExpired,
    /// One chain at a time.
    #[error("another chain is being verified")]
    Verifying,
    /// What was asked for is no part of the chain.
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Lease(#[from] LeaseLost),
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        match err {
            Error::NotFound => Self::new(ErrorCode::NotFound),
            Error::CursorExpired => Self::new(ErrorCode::CursorExpired),
            Error::Verifying => Self::new(ErrorCode::TooManyRequests).data("verifying", true),
            Error::Broken(broken) => {
                tracing::error!(error = %broken, "the log is not what it was");
                Self::new(ErrorCode::StateConflict).data("broken_at", broken.at())
            }
            Error::Store(err) => (&err).into(),
            Error::Archive(ArchiveError::Blobs(blobs::Error::Full)) => {
                Self::new(ErrorCode::StorageFull)
            }
            Error::Archive(_) | Error::Lease(_) => {
                tracing::error!(error = %err, "the proof outside the database failed");
                Self::new(ErrorCode::Internal)
            }
        }
    }
}
