use auth::Caller;
use types::DailyTicketId;

use super::{App, Error, reaches, scope};
use crate::domain::{DailyTicket, Ticket, Wanted, WorkerProgress};
use crate::store::{self, Versioned};

/// One day of a ticket, with the workers asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyTicketView {
    pub ticket: Versioned<Ticket>,
    pub day: DailyTicket,
    pub workers: Vec<WorkerProgress>,
    /// On all pages.
    pub total: u32,
}

impl App {
    #[tracing::instrument(name = "ticket.get_daily", skip_all, fields(daily_ticket.id = %id))]
    pub async fn get_daily_ticket(
        &self,
        caller: &Caller,
        id: DailyTicketId,
        wanted: Wanted,
    ) -> Result<DailyTicketView, Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        let ticket = store::tickets::get_by_day(&mut tx, id)
            .await?
            .filter(|ticket| reaches(caller, ticket.value.site, ticket.value.contractor))
            .ok_or(Error::NotFound)?;
        let day = ticket.value.day(id).cloned().ok_or(Error::NotFound)?;
        let (workers, total) =
            store::progress::of_day(&mut tx, ticket.value.id, id, wanted).await?;
        Ok(DailyTicketView { ticket, day, workers, total })
    }
}
