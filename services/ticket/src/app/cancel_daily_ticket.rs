use auth::Caller;
use types::DailyTicketId;

use super::outcome::{Outcome, Told, outcome};
use super::record_edit::{Done, record};
use super::{App, Error, commander, reaches, scope, settled};
use crate::domain::{Action, Cancelled, State};
use crate::{store, wire};

/// Which day ends, and why.
#[derive(Debug)]
pub struct CancelDailyTicket {
    pub day: DailyTicketId,
    pub reason: String,
    /// Says what would change, and changes nothing.
    pub preview: bool,
}

impl App {
    /// Ends one day of a ticket; the ticket goes on. Cancelling it again changes nothing: the first reason stays.
    #[tracing::instrument(name = "ticket.cancel_day", skip_all, fields(daily_ticket.id = %cmd.day))]
    pub async fn cancel_daily_ticket(
        &self,
        caller: &Caller,
        cmd: CancelDailyTicket,
    ) -> Result<Outcome, Error> {
        settled(|| self.cancel_day(caller, &cmd)).await
    }

    async fn cancel_day(&self, caller: &Caller, cmd: &CancelDailyTicket) -> Result<Outcome, Error> {
        let by = commander(caller)?;
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(caller)).await?;
        let mut ticket = store::tickets::get_by_day(&mut tx, cmd.day)
            .await?
            .filter(|ticket| reaches(caller, ticket.value.site, ticket.value.contractor))
            .ok_or(Error::NotFound)?;
        let before = ticket.value.clone();
        let cancelled = ticket.value.cancel_day(cmd.day, now, &cmd.reason)?;
        if cmd.preview || cancelled == Cancelled::Already {
            return outcome(&mut tx, caller, &before, ticket, Told::default(), now).await;
        }
        store::tickets::save(&mut tx, &mut ticket).await?;
        if let State::Active(_) = ticket.value.state {
            let (version, value) = (ticket.version, &ticket.value);
            let fact = wire::daily_ticket_cancelled(value, version, cmd.day, &cmd.reason, now);
            events::enqueue(&mut tx, &fact, now).await?;
        }
        let outcome = outcome(&mut tx, caller, &before, ticket, Told::default(), now).await?;
        let done = Done {
            caller,
            by,
            action: Action::DayCancelled,
            ticket: &outcome.ticket.value,
            target: ("daily_ticket", cmd.day.to_string()),
            changes: outcome.changes.clone(),
            reason: Some(&cmd.reason),
            at: now,
        };
        record(&mut tx, done).await?;
        tx.commit().await?;
        Ok(outcome)
    }
}
