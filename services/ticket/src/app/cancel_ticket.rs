use auth::Caller;
use events::AuditFact;
use types::TicketId;

use super::{App, Error, commander, scope};
use crate::domain::Cancelled;
use crate::{store, wire};

/// Which ticket ends, and why; there is always a reason.
#[derive(Debug)]
pub struct CancelTicket {
    pub ticket: TicketId,
    pub reason: String,
}

impl App {
    /// Ends a ticket and its days that are not over. Cancelling again changes nothing: the first reason stays.
    #[tracing::instrument(name = "ticket.cancel", skip_all, fields(ticket.id = %cmd.ticket))]
    pub async fn cancel_ticket(&self, caller: &Caller, cmd: CancelTicket) -> Result<(), Error> {
        let by = commander(caller)?;
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(caller)).await?;
        let mut ticket = self.ticket(&mut tx, caller, cmd.ticket).await?;
        let before = wire::status_record(&ticket.value);
        match ticket.value.cancel(by, now, &cmd.reason)? {
            Cancelled::Already => return Ok(()),
            Cancelled::Now => {}
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
        let record = AuditFact {
            context: "ticket",
            caller,
            action: "ticket.cancel",
            target_type: "work_ticket",
            target_id: cmd.ticket.to_string(),
            site: Some(ticket.value.site),
            before: Some(before),
            after: Some(wire::status_record(&ticket.value)),
            reason: Some(&cmd.reason),
            at: now,
        };
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(())
    }
}
