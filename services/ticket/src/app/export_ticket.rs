use auth::Caller;
use events::AuditFact;
use serde_json::json;
use types::{Page, TicketId};

use super::{App, Error, scope};
use crate::domain::{Ticket, WorkerProgress};
use crate::store::{self, Versioned};

/// A ticket and one page of whom it names or named on a day that is over, each with their days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketExport {
    pub ticket: Versioned<Ticket>,
    pub workers: Vec<Vec<WorkerProgress>>,
    /// On all pages.
    pub total: u32,
}

impl App {
    /// Who takes a list of people out of the system leaves a record of it, once an export: with its first page. One that
    /// is begun again is another.
    #[tracing::instrument(name = "ticket.export", skip_all, fields(ticket.id = %id))]
    pub async fn export_ticket(
        &self,
        caller: &Caller,
        id: TicketId,
        page: Page,
    ) -> Result<TicketExport, Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        let ticket = self.ticket(&mut tx, caller, id).await?;
        let (workers, total) = store::progress::of_ticket(&mut tx, &ticket.value, page).await?;
        if page.page == 1 {
            let record = AuditFact {
                context: "ticket",
                caller,
                action: "ticket.export",
                target_type: "work_ticket",
                target_id: id.to_string(),
                site: Some(ticket.value.site),
                before: None,
                after: Some(json!({
                    "workers": total,
                    "days": ticket.value.days.len(),
                })),
                reason: None,
                at: self.clock.now(),
            };
            events::audit(&mut tx, record).await?;
            tx.commit().await?;
        }
        Ok(TicketExport { ticket, workers, total })
    }
}
