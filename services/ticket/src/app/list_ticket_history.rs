use auth::Caller;
use types::{Page, TicketId};

use super::{App, Error, scope};
use crate::domain::Edit;
use crate::store::edits;

impl App {
    /// One page of what people did to a ticket, the newest first, and how many edits there are.
    #[tracing::instrument(name = "ticket.history", skip_all, fields(ticket.id = %id))]
    pub async fn list_ticket_history(
        &self,
        caller: &Caller,
        id: TicketId,
        page: Page,
    ) -> Result<(Vec<Edit>, u32), Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        self.ticket(&mut tx, caller, id).await?;
        Ok(edits::list(&mut tx, id, page).await?)
    }
}
