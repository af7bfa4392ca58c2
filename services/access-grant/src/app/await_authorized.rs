use std::time::Duration;

use auth::{Caller, Subject};
use tokio::time::Instant;
use types::{AreaId, DailyTicketId, WorkerId};

use super::{App, Error, scope};
use crate::record::authorized;
use crate::store::{grants, tickets};

/// The longest wait, and how often is looked for what other processes wrote.
const MAX_WAIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(100);

/// Whether a worker's day is authorized, and what it still waits for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authorized {
    pub authorized: bool,
    pub pending: Vec<AreaId>,
}

impl App {
    /// Answers as soon as every area's grant is proved, or what is pending after `wait`. A day not heard of is waited
    /// for too: its event may be on its way.
    #[tracing::instrument(name = "grant.await", skip_all, fields(daily_ticket.id = %day, worker.id = %worker))]
    pub async fn await_authorized(
        &self,
        caller: &Caller,
        day: DailyTicketId,
        worker: WorkerId,
        wait: Duration,
    ) -> Result<Authorized, Error> {
        if matches!(caller.subject, Subject::Worker(own) if own != worker) {
            return Err(Error::NotFound);
        }
        let until = Instant::now() + wait.min(MAX_WAIT);
        let mut changed = self.store.changed();
        loop {
            changed.borrow_and_update();
            let found = self.authorized(caller, day, worker).await?;
            if found.authorized || Instant::now() >= until {
                return Ok(found);
            }
            let next = until.min(Instant::now() + POLL);
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    async fn authorized(
        &self,
        caller: &Caller,
        id: DailyTicketId,
        worker: WorkerId,
    ) -> Result<Authorized, Error> {
        let mut tx = self.store.begin(scope(caller, "await authorized")).await?;
        let days = tickets::days(&mut tx, tickets::Which::Days(&[id])).await?;
        let Some(day) = days.get(&id).filter(|day| day.workers.contains(&worker)) else {
            return Ok(Authorized::default());
        };
        let held = grants::of_worker_day(&mut tx, id, worker).await?;
        let proved =
            |area: &AreaId| held.iter().any(|grant| grant.area == *area && grant.is_synced());
        let pending = day.areas.iter().copied().filter(|area| !proved(area)).collect();
        Ok(Authorized { authorized: authorized(Some(day), worker, held.iter()), pending })
    }
}
