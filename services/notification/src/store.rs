//! Rows to aggregates and back, and the read copies of other services' facts.

pub(crate) mod areas;
pub(crate) mod consents;
pub(crate) mod notices;
pub(crate) mod reads;
pub(crate) mod tickets;
pub(crate) mod workers;

/// An aggregate and the version it was read at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    pub value: T,
    pub version: u64,
}
