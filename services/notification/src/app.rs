//! What can be asked of this service, and the sending that nobody asks for; one use case a file.

mod error;
mod list_notifications;
mod mark_task_read;
mod record_consent;
mod retry_notification;
mod send_due;

use auth::{Caller, Sites};
use proto::directory::v1::directory_service_client::DirectoryServiceClient;
use service::grpc::Transport;
use service::{Scope, Shell, Store};
use types::{ContractorId, Role, SiteId};

use crate::domain::Kind;

pub use crate::store::notices::Filter;
pub use error::Error;
pub use record_consent::RecordConsent;
pub use send_due::{Claimed, Ready};

const CONTEXT: &str = "notification";

/// The provider's id of each kind's message template.
#[derive(Debug, Clone)]
pub struct Templates {
    pub ticket_published: String,
}

impl Templates {
    fn of(&self, kind: Kind) -> &str {
        match kind {
            Kind::TicketPublished => &self.ticket_published,
        }
    }

    /// A template may be called by the kind of notice it is for, or by the provider's id.
    fn named<'a>(&'a self, text: &'a str) -> &'a str {
        text.parse().map_or(text, |kind| self.of(kind))
    }
}

/// The service's use cases. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    store: Store,
    shell: Shell,
    wechat: wechat::Client,
    templates: Templates,
    directory: DirectoryServiceClient<Transport>,
}

impl App {
    pub fn new(shell: Shell, store: Store, wechat: wechat::Client, templates: Templates) -> Self {
        let directory = DirectoryServiceClient::new(shell.peers.transport("directory"));
        Self { store, shell, wechat, templates, directory }
    }
}

/// The sites a transaction for this caller may touch.
fn scope(caller: &Caller) -> Scope {
    match &caller.sites {
        Sites::All => Scope::System("asked by a service"),
        Sites::Some(sites) => Scope::Sites(sites.clone()),
    }
}

/// Whether the caller sees a contractor's notices on a site: their site, and for a contractor's administrator their own
/// contractor.
fn reaches(caller: &Caller, site: SiteId, contractor: ContractorId) -> bool {
    let confined = caller.role == Some(Role::ContractorAdmin) || caller.contractor.is_some();
    caller.may_touch(site) && (!confined || caller.contractor == Some(contractor))
}
