use std::io;

/// Why a blob was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such blob")]
    NotFound,
    /// Something is kept under that key already, and stays.
    #[error("there is such a blob already")]
    Exists,
    /// Ours to mend: a key is segments of letters, digits, `-`, `_` and `.`, parted by `/`.
    #[error("blob key malformed")]
    InvalidKey,
    /// The range starts at or after the end, or is empty; `size` is the blob's, in bytes.
    #[error("range outside the {size} bytes of the blob")]
    OutOfRange { size: u64 },
    #[error("blob larger than {max_bytes} bytes")]
    TooLarge { max_bytes: u64 },
    /// The stream that was being stored failed; nothing of it was kept.
    #[error("the source of the blob failed")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The device or the quota is full; nothing of the blob was kept.
    #[error("storage full")]
    Full,
    #[error("storage failed")]
    Storage(#[source] object_store::Error),
}

impl From<object_store::Error> for Error {
    fn from(err: object_store::Error) -> Self {
        if is_full(&err) {
            return Self::Full;
        }
        match err {
            object_store::Error::NotFound { .. } => Self::NotFound,
            object_store::Error::AlreadyExists { .. } => Self::Exists,
            object_store::Error::InvalidPath { .. } => Self::InvalidKey,
            other => Self::Storage(other),
        }
    }
}

/// The store wraps what the operating system said, some layers deep.
fn is_full(err: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(err);
    while let Some(err) = cause {
        let kind = err.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        cause = err.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The store's own error, as it wraps what the system said.
    #[derive(Debug, thiserror::Error)]
    #[error("unable to copy")]
    struct UnableToCopy(#[source] io::Error);

    #[test]
    fn a_full_device_is_told_from_any_other_failure() {
        let failed = |kind: io::ErrorKind| object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(UnableToCopy(io::Error::from(kind))),
        };
        assert!(matches!(Error::from(failed(io::ErrorKind::StorageFull)), Error::Full));
        assert!(matches!(Error::from(failed(io::ErrorKind::QuotaExceeded)), Error::Full));
        assert!(matches!(Error::from(failed(io::ErrorKind::TimedOut)), Error::Storage(_)));
    }
}
