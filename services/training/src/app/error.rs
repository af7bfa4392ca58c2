use service::Refusal;
use service::idempotency::ClaimError;

use crate::domain::mp4::NotAVideo;
use crate::domain::{Closed, Refused};
use crate::store;

/// What a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("not found")]
    NotFound,
    #[error("the file {0}")]
    NotAVideo(#[from] NotAVideo),
    #[error("the file is larger than {max_bytes} bytes")]
    TooLarge { max_bytes: usize },
    #[error("the storage is full")]
    StorageFull,
    #[error(transparent)]
    Day(#[from] Closed),
    #[error(transparent)]
    Session(#[from] Refused),
    #[error("the worker completed this video for this day")]
    AlreadyComplete,
    #[error("the session token is not this session's")]
    SessionToken,
    #[error("the face was not verified: {0}")]
    Face(#[from] FaceProblem),
    #[error("{0} does not answer")]
    Upstream(&'static str),
    #[error("a service refused")]
    Peer(Refusal),
    #[error(transparent)]
    Idempotency(#[from] ClaimError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the blob store failed")]
    Blobs(#[source] blobs::Error),
}

/// Why a face token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaceProblem {
    /// Unknown, or another worker's, day's or purpose's: not told apart.
    #[error("the token is not valid here")]
    TokenInvalid,
    #[error("the token was used")]
    TokenUsed,
    #[error("the token expired")]
    TokenExpired,
    #[error("the provider says it is someone else")]
    Failed,
    #[error("broken off on the phone")]
    Cancelled,
    #[error("not finished on the phone")]
    Pending,
    #[error("the time to answer is over")]
    TooLate,
    #[error("the worker is not bound")]
    NotBound,
}

impl FaceProblem {
    /// As `data.reason` names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenInvalid => "TOKEN_INVALID",
            Self::TokenUsed => "TOKEN_USED",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Pending => "PENDING",
            Self::TooLate => "TOO_LATE",
            Self::NotBound => "NOT_BOUND",
        }
    }
}

impl From<blobs::Error> for Error {
    fn from(err: blobs::Error) -> Self {
        match err {
            blobs::Error::Full => Self::StorageFull,
            err => Self::Blobs(err),
        }
    }
}
