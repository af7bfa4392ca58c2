//! What an entry is, how entries are chained, and what proves that nobody changed them. No IO.

mod chain;
mod checkpoint;
mod entry;
mod export;
mod frame;
mod search;
mod verifier;
mod written;

pub use chain::ChainReport;
pub(crate) use chain::{Broken, Chain, Head, ORIGIN};
pub(crate) use checkpoint::{BadCheckpoint, Checkpoint, Marks, Signed, Trail, WHOLE_EVERY};
pub(crate) use entry::{Entry, Sealed};
pub(crate) use export::{Export, Line};
pub(crate) use search::{Cursor, Filter, Place, between};
pub use verifier::FileReport;
pub(crate) use verifier::Verifier;
pub(crate) use written::WrittenCheckpoint;
