use auth::Caller;
use types::TicketId;

use super::outcome::{Outcome, Told, outcome};
use super::record_edit::{Done, record};
use super::{App, Error, commander, scope, settled};
use crate::domain::{Action, Cancelled};
use crate::{store, wire};

/// Which ticket ends, and why; there is always a reason.
#[derive(Debug)]
pub struct CancelTicket {
    pub ticket: TicketId,
    pub reason: String,
    /// Says what would change, and changes nothing.
    pub preview: bool,
}

impl App {
    /// Ends a ticket and its days that are not over. Cancelling again changes nothing: the first reason stays.
    #[tracing::instrument(name = "ticket.cancel", skip_all, fields(ticket.id = %cmd.ticket))]
    pub async fn cancel_ticket(
        &self,
        caller: &Caller,
        cmd: CancelTicket,
    ) -> Result<Outcome, Error> {
        settled(|| self.cancel(caller, &cmd)).await
    }

    async fn cancel(&self, caller: &Caller, cmd: &CancelTicket) -> Result<Outcome, Error> {
        let by = commander(caller)?;
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(caller)).await?;
        let mut ticket = self.ticket(&mut tx, caller, cmd.ticket).await?;
        let before = ticket.value.clone();
        let cancelled = ticket.value.cancel(by, now, &cmd.reason)?;
        if cmd.preview || cancelled == Cancelled::Already {
            return outcome(&mut tx, caller, &before, ticket, Told::default(), now).await;
        }
        store::tickets::save(&mut tx, &mut ticket).await?;
        if let Some(cancellation) = ticket.value.cancellation() {
            events::enqueue(
                &mut tx,
                &wire::ticket_cancelled(&ticket.value, ticket.version, cancellation),
                now,
            )
            .await?;
        }
        let outcome = outcome(&mut tx, caller, &before, ticket, Told::default(), now).await?;
        let done = Done {
            caller,
            by,
            action: Action::Cancelled,
            ticket: &outcome.ticket.value,
            target: ("work_ticket", cmd.ticket.to_string()),
            changes: outcome.changes.clone(),
            reason: Some(&cmd.reason),
            at: now,
        };
        record(&mut tx, done).await?;
        tx.commit().await?;
        Ok(outcome)
    }
}
