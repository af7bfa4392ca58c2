use service::{Refusal, StoreError};
use types::ErrorCode;

/// What a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("not there, or not for this caller")]
    NotFound,
    /// The state it is in does not allow it.
    #[error("{from} does not become {to}")]
    NotAllowed { from: &'static str, to: &'static str },
    /// Start again without a cursor.
    #[error("the cursor is not of this log, or too old")]
    CursorExpired,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for Error {
    fn from(err: sqlx::Error) -> Self {
        Self::Store(err.into())
    }
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        match err {
            Error::NotFound => Self::new(ErrorCode::NotFound),
            Error::NotAllowed { from, to } => {
                Self::new(ErrorCode::StateConflict).data("from", from).data("to", to)
            }
            Error::CursorExpired => Self::new(ErrorCode::CursorExpired),
            Error::Store(err) => (&err).into(),
        }
    }
}
