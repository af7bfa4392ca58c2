use auth::Caller;
use chrono::{DateTime, Utc};
use events::AuditFact;
use types::TicketId;

use super::{App, Error, commander, scope};
use crate::domain::{Publication, Published};
use crate::{store, wire};

impl App {
    /// Makes a draft and its days visible; answers since when it is. Publishing again changes nothing.
    #[tracing::instrument(name = "ticket.publish", skip_all, fields(ticket.id = %id))]
    pub async fn publish_ticket(
        &self,
        caller: &Caller,
        id: TicketId,
    ) -> Result<DateTime<Utc>, Error> {
        let by = commander(caller)?;
        let mut tx = self.store.begin(scope(caller)).await?;
        let mut ticket = self.ticket(&mut tx, caller, id).await?;
        let before = wire::status_record(&ticket.value);
        let at = match ticket.value.publish(by, self.clock.now())? {
            Published::Already { at } => return Ok(at),
            Published::Now { at } => at,
        };
        store::tickets::save(&mut tx, &mut ticket).await?;
        events::enqueue(
            &mut tx,
            &wire::ticket_published(&ticket.value, ticket.version, Publication { by, at }),
            at,
        )
        .await?;
        let record = AuditFact {
            context: "ticket",
            caller,
            action: "ticket.publish",
            target_type: "work_ticket",
            target_id: id.to_string(),
            site: Some(ticket.value.site),
            before: Some(before),
            after: Some(wire::status_record(&ticket.value)),
            reason: None,
            at,
        };
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(at)
    }
}
