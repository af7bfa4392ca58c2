//! What an entry is and how entries are chained. No IO.

mod chain;
mod entry;

pub use chain::ChainReport;
pub(crate) use chain::{Chain, Head, ORIGIN};
pub(crate) use entry::{Entry, Sealed};
