//! Reading the log and proving it.

mod error;
mod list_entries;
mod verify_chain;

use service::Store;

pub(crate) use error::Error;
pub(crate) use list_entries::ListEntries;
pub use verify_chain::verify_all;

/// The use cases.
#[derive(Debug, Clone)]
pub(crate) struct App {
    store: Store,
}

impl App {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}
