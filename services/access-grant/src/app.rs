//! The use cases, one a file. Each opens its own transactions; what leaves the process does so outside of them.

mod await_authorized;
mod decide;
mod error;
mod explain;
mod get_outlook;
mod get_pass;
mod list_door_changes;
mod list_grants;
mod prove_doors;
mod push_due;
mod release_late_grant;
mod resync_grant;

use auth::{Caller, Sites};
use service::{Scope, Store};
use types::{ContractorId, SiteClock, SiteId};

pub use await_authorized::Authorized;
pub use decide::{Ask, Decided};
pub use error::Error;
pub use explain::Explained;
pub use get_outlook::Outlook;
pub use get_pass::Line;
pub use list_door_changes::{DoorChange, DoorChanges, MAX_WAIT};
pub use prove_doors::{Proofs, Round};
pub use push_due::Pusher;

/// The service, as its callers see it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    store: Store,
    clock: SiteClock,
}

impl App {
    pub fn new(store: Store, clock: SiteClock) -> Self {
        Self { store, clock }
    }
}

/// The transaction scope of what a caller may see.
fn scope(caller: &Caller, reason: &'static str) -> Scope {
    match &caller.sites {
        Sites::All => Scope::System(reason),
        Sites::Some(sites) => Scope::Sites(sites.clone()),
    }
}

/// A site the caller named: theirs, or none at all.
fn visible(caller: &Caller, site: SiteId) -> Result<Scope, Error> {
    if caller.may_touch(site) { Ok(Scope::Site(site)) } else { Err(Error::NotFound) }
}

/// The contractor a caller is confined to.
fn confined(caller: &Caller) -> Option<ContractorId> {
    caller.contractor
}
