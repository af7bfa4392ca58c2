use auth::Caller;
use types::DailyTicketId;

use super::{App, Error, reaches, scope};
use crate::domain::{DailyTicket, Roster, Ticket, Wanted, WorkerProgress};
use crate::store::{self, Versioned};

/// One day of a ticket, with the workers asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyTicketView {
    pub ticket: Versioned<Ticket>,
    pub day: DailyTicket,
    /// Whom the day names and what it asks for: what its ticket says now, or said when the day was over.
    pub roster: Roster,
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
        let kept = if day.is_over() { store::rosters::of_day(&mut tx, id).await? } else { None };
        let roster = kept.unwrap_or_else(|| Roster::of(&ticket.value));
        let (workers, total) =
            store::progress::of_day(&mut tx, id, &roster.workers, wanted).await?;
        Ok(DailyTicketView { ticket, day, roster, workers, total })
    }
}
