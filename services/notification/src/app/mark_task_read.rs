use auth::Caller;
use events::AuditFact;
use proto::notification::v1::TaskRead;
use types::{DailyTicketId, WorkerId};

use super::record_consent::own;
use super::{App, CONTEXT, Error, scope};
use crate::store::{reads, tickets};

impl App {
    /// Keeps that the worker opened the task of a day, once.
    #[tracing::instrument(name = "notification.mark_task_read", skip_all, fields(daily_ticket.id = %day))]
    pub async fn mark_task_read(
        &self,
        caller: &Caller,
        worker: Option<WorkerId>,
        day: DailyTicketId,
    ) -> Result<(), Error> {
        let worker = own(caller, worker)?;
        let at = self.shell.clock.now();
        let mut tx = self.store.begin(scope(caller)).await?;
        let site = tickets::site_of(&mut tx, day, worker).await?.ok_or(Error::NotFound)?;
        if !reads::mark(&mut tx, site, day, worker, at).await? {
            return Ok(());
        }
        let read = TaskRead {
            site_id: site.to_string(),
            daily_ticket_id: day.to_string(),
            worker_id: worker.to_string(),
            read_at: Some(proto::timestamp(at)),
        };
        events::enqueue(&mut tx, &read, at).await?;
        let fact = AuditFact {
            context: CONTEXT,
            caller,
            action: "notification.mark_task_read",
            target_type: "daily_ticket",
            target_id: day.to_string(),
            site: Some(site),
            before: None,
            after: None,
            reason: None,
            at,
        };
        events::audit(&mut tx, fact).await?;
        tx.commit().await?;
        Ok(())
    }
}
