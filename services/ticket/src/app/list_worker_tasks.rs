use auth::{Caller, Subject};
use chrono::NaiveDate;
use types::WorkerId;

use super::{App, Error, scope};
use crate::domain::{DailyTicket, Ticket, Wanted, WorkerProgress};
use crate::store::{self, Versioned};

/// What a worker has to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tasks {
    /// Today on the worker's sites.
    pub date: NaiveDate,
    /// By when access begins.
    pub tasks: Vec<Task>,
}

/// One day of one ticket that names the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub ticket: Versioned<Ticket>,
    pub day: DailyTicket,
    pub progress: WorkerProgress,
}

impl App {
    /// Today's days of a worker and last night's until its end. A worker asks for themself; another's are not there.
    #[tracing::instrument(name = "ticket.list_worker_tasks", skip_all, fields(worker.id = %worker))]
    pub async fn list_worker_tasks(
        &self,
        caller: &Caller,
        worker: WorkerId,
    ) -> Result<Tasks, Error> {
        match caller.subject {
            Subject::Worker(own) if own != worker => return Err(Error::NotFound),
            _ => {}
        }
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(caller)).await?;
        let ids = store::tickets::worker_tickets(&mut tx, worker, now).await?;
        let mut tasks = Vec::new();
        for ticket in store::tickets::get_many(&mut tx, &ids).await? {
            let zone = ticket.value.terms.zone;
            for day in ticket.value.days.iter().filter(|day| day.is_task_at(now, zone)) {
                // A task is of a day that is not over: it names whom its ticket names now.
                let named = ticket.value.workers.contains(&worker);
                let own = if named { std::slice::from_ref(&worker) } else { &[] };
                let (progress, _) =
                    store::progress::of_day(&mut tx, day.id, own, Wanted::default()).await?;
                let task = |progress| Task { ticket: ticket.clone(), day: day.clone(), progress };
                tasks.extend(progress.into_iter().map(task));
            }
        }
        tasks.sort_by_key(|task| (task.day.window.start, task.day.id));
        let zone = match tasks.last() {
            Some(task) => task.ticket.value.terms.zone,
            None => store::tickets::newest_zone(&mut tx, worker).await?.unwrap_or_default(),
        };
        Ok(Tasks { date: zone.date_at(now), tasks })
    }
}
