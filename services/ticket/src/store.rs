//! Rows and what they mean. Writing is guarded by the version that was read.

pub mod bindings;
pub mod edits;
pub mod engagements;
pub mod known;
pub mod progress;
pub mod rosters;
pub mod standings;
pub mod tickets;

/// What was read, and the version it was read at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    pub value: T,
    pub version: u64,
}
