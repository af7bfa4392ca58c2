//! What controllers, their vendors and administrators do here.

mod authenticate;
mod decide;
mod error;
mod housekeeping;
mod list_devices;
mod list_passages;
mod list_permissions;
mod record_events;
mod register_device;
mod seal_anew;
mod take_heartbeat;

use service::{Scope, Shell, Store};
use types::SiteId;
use vault::Vault;

pub(crate) use authenticate::Signed;
pub(crate) use decide::Ask;
pub(crate) use error::Error;
pub(crate) use housekeeping::{FORGET_EVERY, LOOK_EVERY};
pub(crate) use list_passages::ListPassages;
pub(crate) use list_permissions::ListPermissions;
pub(crate) use record_events::MOST_EVENTS;
pub(crate) use register_device::RegisterDevice;
pub(crate) use seal_anew::SEAL_ANEW_EVERY;

/// What a sealed secret is for.
const SECRET: &str = "device.secret";

/// The use cases.
#[derive(Debug, Clone)]
pub(crate) struct App {
    store: Store,
    vault: Vault,
    shell: Shell,
}

impl App {
    pub(crate) fn new(store: Store, vault: Vault, shell: Shell) -> Self {
        Self { store, vault, shell }
    }
}

/// The sites a reading caller may see: the one they name, or all of theirs.
fn reach(caller: &auth::Caller, site: Option<SiteId>) -> Result<Scope, Error> {
    match (site, &caller.sites) {
        (Some(site), _) if caller.may_touch(site) => Ok(Scope::Site(site)),
        (Some(_), _) => Err(Error::NotFound),
        (None, auth::Sites::Some(sites)) => Ok(Scope::Sites(sites.clone())),
        (None, auth::Sites::All) => Ok(Scope::System("a service reads")),
    }
}
