use auth::Caller;
use chrono::{DateTime, Utc};
use types::TicketId;

use super::record_edit::{Done, record};
use super::{App, Error, commander, scope};
use crate::domain::{Action, Publication, Published};
use crate::wire::Changes;
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
        let before = ticket.value.clone();
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
        let done = Done {
            caller,
            by,
            action: Action::Published,
            ticket: &ticket.value,
            target: ("work_ticket", id.to_string()),
            changes: Changes::of(&before, &ticket.value),
            reason: None,
            at,
        };
        record(&mut tx, done).await?;
        tx.commit().await?;
        Ok(at)
    }
}
