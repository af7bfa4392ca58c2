use auth::Caller;
use events::AuditFact;
use serde_json::json;
use types::{DailyTicketId, WorkerId};

use super::{App, Error, scope};
use crate::domain::{DayState, Grant};
use crate::ensure::ensure_grants;
use crate::store::trainings::{self, Release};
use crate::store::{grants, lock, tickets};
use crate::wire;

impl App {
    /// Grants one who finished their training late. Who finished in time or is released already keeps what they have,
    /// and nothing changes; who did not finish, or has to watch more since, is refused.
    #[tracing::instrument(name = "grant.release", skip_all, fields(daily_ticket.id = %day, worker.id = %worker))]
    pub async fn release_late_grant(
        &self,
        caller: &Caller,
        day: DailyTicketId,
        worker: WorkerId,
        reason: &str,
    ) -> Result<Vec<Grant>, Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(caller, "release a late grant")).await?;
        let which = tickets::Which::Days(std::slice::from_ref(&day));
        let site = tickets::days(&mut tx, which).await?.remove(&day).ok_or(Error::NotFound)?.site;
        lock::site(&mut tx, site).await?;
        let days = tickets::days(&mut tx, which).await?;
        let known = days
            .get(&day)
            .filter(|known| known.workers.contains(&worker))
            .ok_or(Error::NotFound)?;
        let refused = |from| Error::NotAllowed { from, to: "RELEASED" };
        match known.state {
            DayState::Open => {}
            DayState::Draft => return Err(Error::NotFound),
            DayState::Expired => return Err(refused("EXPIRED")),
            DayState::Cancelled => return Err(refused("CANCELLED")),
        }
        let trainings = trainings::of_days(&mut tx, &[day], Some(worker), None).await?;
        let training = trainings
            .get(&day)
            .and_then(|of_day| of_day.first())
            .filter(|training| !training.reopened)
            .ok_or(refused("TRAINING_INCOMPLETE"))?;
        if known.earns(training) {
            return Ok(grants::of_worker_day(&mut tx, day, worker).await?);
        }
        let by = caller.subject.to_string();
        trainings::release(&mut tx, Release { day, worker, site, by: &by, reason, at: now })
            .await?;
        let released = wire::late_grant_released(site, day, worker, &by, reason, now);
        events::enqueue(&mut tx, &released, now).await?;
        let audit = AuditFact {
            context: "access_grant",
            caller,
            action: "grant.release",
            target_type: "daily_ticket",
            target_id: day.to_string(),
            site: Some(site),
            before: Some(json!({ "worker_id": worker, "completed_at": training.completed_at })),
            after: Some(json!({ "worker_id": worker, "released": true })),
            reason: Some(reason),
            at: now,
        };
        events::audit(&mut tx, audit).await?;
        ensure_grants(&mut tx, &days, Some(worker), now).await?;
        let granted = grants::of_worker_day(&mut tx, day, worker).await?;
        tx.commit().await?;
        Ok(granted)
    }
}
