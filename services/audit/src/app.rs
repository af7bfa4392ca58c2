//! Reading the log and proving it.

mod cross_site;
mod error;
mod export_entries;
mod list_entries;
mod verify_chain;
mod walk;
mod write_checkpoint;

use std::sync::Arc;

use auth::Caller;
use service::Store;
use tokio::sync::Mutex;
use types::{Permission, SiteClock, SiteId, SystemClock};
use uuid::Uuid;

use crate::archive::Archive;

pub use error::Error;
pub(crate) use export_entries::{ExportEntries, Exporting};
pub(crate) use list_entries::ListEntries;
pub use verify_chain::{CheckpointReport, LogReport, verify_all};
pub(crate) use write_checkpoint::Checkpoints;

/// The use cases.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) archive: Archive,
    pub(crate) clock: SiteClock,
    pub(crate) system: SystemClock,
    /// Held while a chain is recomputed for somebody: it takes a processor for as long.
    pub(crate) verifying: Arc<Mutex<()>>,
}

/// The chain a caller may look at: of one of their sites, or, where no site is named, of what belongs to none. That
/// one is for whoever manages sites.
fn reached(caller: &Caller, site: Option<SiteId>) -> Result<SiteId, Error> {
    let may = match site {
        Some(site) => caller.may_touch(site),
        None => caller.may(Permission::SiteManage),
    };
    if may { Ok(site.unwrap_or_else(none)) } else { Err(Error::NotFound) }
}

/// Stands for "no site".
fn none() -> SiteId {
    SiteId::from_uuid(Uuid::nil())
}
