use types::CheckId;

/// What a face verification is for; it opens nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Starting a session.
    Start,
    /// Answering this check.
    Check(CheckId),
}
