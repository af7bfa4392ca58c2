/// What an answer means for the caller. Holds codes only, never what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// 43101: no consent left, or refused; no reason to retry.
    #[error("no consent is left for this template")]
    NoBalance,
    /// A log-in or phone code that is used, foreign or too old.
    #[error("the code is not valid")]
    BadCode,
    /// Will not get better by itself: our data, our configuration, or this user.
    #[error("refused with {errcode}")]
    Refused { errcode: i64 },
    /// Had no effect and may work later.
    #[error("not available now")]
    Retry { errcode: Option<i64> },
    /// Sent, and no answer that tells whether it was taken.
    #[error("sent without a clear answer")]
    Unknown,
    /// The access token is no longer taken; the client deals with it.
    #[error("the access token is not valid")]
    BadToken,
}

impl Error {
    // Meanings: the platform's code lists for log-in, subscribe messages and the general table.
    pub(crate) fn from_errcode(errcode: i64) -> Self {
        match errcode {
            40001 | 40014 | 42001 => Self::BadToken,
            40029 | 40163 => Self::BadCode,
            43101 => Self::NoBalance,
            -1 | 43108 | 45009 | 45011 => Self::Retry { errcode: Some(errcode) },
            errcode => Self::Refused { errcode },
        }
    }

    /// A call that never reached the platform may be repeated; one that may have must not.
    pub(crate) fn not_sent_twice(err: &reqwest::Error) -> Self {
        if err.is_connect() || err.is_builder() {
            Self::Retry { errcode: None }
        } else {
            Self::Unknown
        }
    }
}
