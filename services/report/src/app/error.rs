use service::{Refusal, StoreError};
use types::ErrorCode;

/// What a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Outside the caller's sites.
    #[error("not found")]
    NotFound,
    /// The whole site's figures, asked for by one contractor's administrator.
    #[error("the figures are of every contractor")]
    WholeSite,
    /// Another service refused; its word is passed on.
    #[error("refused upstream")]
    Upstream(Box<Refusal>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        match err {
            Error::NotFound => Self::new(ErrorCode::NotFound),
            Error::WholeSite => Self::new(ErrorCode::PermissionDenied),
            Error::Upstream(refusal) => *refusal,
            Error::Store(err) => (&err).into(),
        }
    }
}
