use auth::Caller;
use types::{Page, SiteId, TicketId};

use super::{App, Error, scope};
use crate::domain::Edit;
use crate::store::edits;

/// One page of what people did to a ticket, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketHistory {
    pub site: SiteId,
    pub edits: Vec<Edit>,
    /// On all pages.
    pub total: u32,
}

impl App {
    #[tracing::instrument(name = "ticket.history", skip_all, fields(ticket.id = %id))]
    pub async fn list_ticket_history(
        &self,
        caller: &Caller,
        id: TicketId,
        page: Page,
    ) -> Result<TicketHistory, Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        let site = self.ticket(&mut tx, caller, id).await?.value.site;
        let (edits, total) = edits::list(&mut tx, id, page).await?;
        Ok(TicketHistory { site, edits, total })
    }
}
