use service::idempotency::ClaimError;
use service::{Refusal, StoreError};
use types::ErrorCode;

/// What a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Outside the caller's sites, or not there.
    #[error("not found")]
    NotFound,
    /// Unknown, revoked, badly signed, stale or replayed: nobody is told which.
    #[error("the signature is not valid")]
    NotAuthentic,
    #[error("a device of this id is registered")]
    Taken,
    /// Every bad field.
    #[error("the request does not fit")]
    Invalid(Refusal),
    #[error(transparent)]
    Key(#[from] ClaimError),
    /// What another service answered instead of what it was asked for.
    #[error("another service gave no answer")]
    Peer(Refusal),
    /// A sealed secret that does not open.
    #[error("the secret of device {0} does not open")]
    Sealed(String, #[source] vault::Broken),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Invalid(refusal)
    }
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        match err {
            Error::NotFound => Self::new(ErrorCode::NotFound),
            Error::NotAuthentic => Self::new(ErrorCode::SignatureInvalid),
            Error::Taken => {
                Self::new(ErrorCode::StateConflict).field("device_id", "is registered already")
            }
            Error::Invalid(refusal) | Error::Peer(refusal) => refusal,
            Error::Key(err) => (&err).into(),
            Error::Store(err) => (&err).into(),
            Error::Sealed(device, cause) => {
                tracing::error!(device.id = device, error = %cause, "a device's secret does not open");
                Self::new(ErrorCode::Internal)
            }
        }
    }
}
