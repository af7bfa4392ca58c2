//! What can be asked of this service; one use case a file.

mod amend_ticket;
mod cancel_daily_ticket;
mod cancel_ticket;
mod copy_ticket;
mod create_ticket;
mod error;
mod export_ticket;
mod get_daily_ticket;
mod get_ticket;
mod list_ticket_history;
mod list_tickets;
mod list_worker_tasks;
mod outcome;
mod publish_ticket;
mod record_edit;
mod references;
mod run_lifecycle;

use auth::{Caller, Sites};
use service::{Scope, Shell, Store, StoreError, Tx};
use types::{AccountId, ContractorId, Role, SiteClock, SiteId, TicketId, WorkerId};

use self::references::Truth;
use crate::domain::Ticket;
use crate::store::{self, Versioned};

/// How often what lost against the clock's move or somebody's is tried.
const ATTEMPTS: u32 = 3;

pub use amend_ticket::{AmendTicket, Workers};
pub use cancel_daily_ticket::CancelDailyTicket;
pub use cancel_ticket::CancelTicket;
pub use copy_ticket::CopyTicket;
pub use create_ticket::CreateTicket;
pub use error::Error;
pub use export_ticket::TicketExport;
pub use get_daily_ticket::DailyTicketView;
pub use get_ticket::TicketView;
pub use list_ticket_history::TicketHistory;
pub use list_worker_tasks::{Task, Tasks};
pub use outcome::Outcome;
pub use publish_ticket::PublishedTicket;
pub use run_lifecycle::Lifecycle;

/// The service's use cases. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    store: Store,
    clock: SiteClock,
    shell: Shell,
}

impl App {
    pub fn new(shell: Shell, store: Store) -> Self {
        Self { store, clock: shell.clock.clone(), shell }
    }

    /// The ticket, if there is one the caller reaches. What lies outside is not there.
    async fn ticket(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        id: TicketId,
    ) -> Result<Versioned<Ticket>, Error> {
        let ticket = store::tickets::get(tx, id).await?;
        ticket
            .filter(|ticket| reaches(caller, ticket.value.site, ticket.value.contractor))
            .ok_or(Error::NotFound)
    }
}

/// The sites a transaction for this caller may touch.
fn scope(caller: &Caller) -> Scope {
    match &caller.sites {
        Sites::All => Scope::System("asked by a service"),
        Sites::Some(sites) => Scope::Sites(sites.clone()),
    }
}

/// Whether a contractor's tickets on a site are the caller's to see: their site, and for a contractor's administrator
/// their own contractor.
fn reaches(caller: &Caller, site: SiteId, contractor: ContractorId) -> bool {
    let confined = caller.role == Some(Role::ContractorAdmin) || caller.contractor.is_some();
    caller.may_touch(site) && (!confined || caller.contractor == Some(contractor))
}

/// Keeps what the owners answered, for workers and videos no fact has come about yet.
async fn learn(tx: &mut Tx, ticket: &Ticket, truth: &Truth) -> Result<(), Error> {
    // Who is not on the roster may have left it: of them the answer says nothing.
    let known: Vec<WorkerId> =
        truth.asked_workers.difference(&truth.unknown_workers).copied().collect();
    let unbound: Vec<WorkerId> = truth.unbound_workers.iter().copied().collect();
    store::bindings::learn(tx, &known, &unbound).await?;
    store::engagements::learn(tx, ticket.site, &known, &truth.engaged_until).await?;
    for (id, video) in &truth.videos {
        store::known::keep_video(tx, ticket.site, *id, video.duration_sec, video.version).await?;
    }
    Ok(())
}

/// Reads, decides and writes; from the start again where somebody wrote between: what is so by then answers.
async fn settled<T, F: Future<Output = Result<T, Error>>>(
    attempt: impl Fn() -> F,
) -> Result<T, Error> {
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(Error::Store(StoreError::Conflict)) => {}
            done => return done,
        }
    }
    attempt().await
}

/// The account that gives a command; only accounts do.
fn commander(caller: &Caller) -> Result<AccountId, Error> {
    caller.account_id().ok_or(Error::Denied)
}
