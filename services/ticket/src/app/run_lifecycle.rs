use chrono::{DateTime, Utc};
use schedule::{Run, RunError};
use service::{Scope, StoreError, Tx};

use super::{App, Error};
use crate::domain::{Expired, NotAllowed, Started};
use crate::store::tickets::{self, Due, Turn};
use crate::wire;

/// Days looked at before looking again.
const BATCH: i64 = 500;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lifecycle {
    pub started: u32,
    pub expired: u32,
    /// Days that someone else changed in that moment; the next run finds them if they are still due.
    pub missed: u32,
}

/// Why a run failed that did all else.
#[derive(Debug, thiserror::Error)]
#[error("{days} due days could not be started or expired")]
struct Unturned {
    days: u32,
    #[source]
    last: Error,
}

impl App {
    /// Starts and expires every day whose time has come, each in a transaction of its own. It looks at what is due,
    /// not at when it last ran: running again, late or twice at once is safe. A run that lost its lease moves no day.
    ///
    /// # Errors
    /// At once when the database is away; for a day that cannot be moved at the end, since the others do not wait for it.
    #[tracing::instrument(name = "ticket.lifecycle", skip_all)]
    pub async fn run_lifecycle(&self, run: &Run) -> Result<Lifecycle, RunError> {
        let mut done = Lifecycle::default();
        let mut unturned: Option<Unturned> = None;
        for turn in [Turn::Start, Turn::Expire] {
            let mut last = None;
            loop {
                let now = self.clock.now();
                let scope = Scope::System("look for days whose time has come");
                let due =
                    tickets::due(&mut run.begin(scope).await?, turn, now, last, BATCH).await?;
                for day in &due {
                    let tx = run.begin(Scope::Site(day.site)).await?;
                    match turn_day(tx, turn, *day, now).await {
                        Ok(true) if turn == Turn::Start => done.started += 1,
                        Ok(true) => done.expired += 1,
                        Ok(false) | Err(Error::Store(StoreError::Conflict)) => done.missed += 1,
                        Err(err @ Error::Store(StoreError::Unavailable)) => return Err(err.into()),
                        Err(err) => {
                            tracing::error!(daily_ticket.id = %day.day, error = %err, "day not turned");
                            let days = unturned.map_or(0, |unturned| unturned.days) + 1;
                            unturned = Some(Unturned { days, last: err });
                        }
                    }
                }
                if i64::try_from(due.len()).is_ok_and(|due| due < BATCH) {
                    break;
                }
                last = due.last().copied();
            }
        }
        match unturned {
            Some(unturned) => Err(unturned.into()),
            None => Ok(done),
        }
    }
}

/// Whether the day was moved; not when someone else did before, or it is no longer to be moved.
async fn turn_day(mut tx: Tx, turn: Turn, due: Due, now: DateTime<Utc>) -> Result<bool, Error> {
    let Some(mut ticket) = tickets::get_by_day(&mut tx, due.day).await? else {
        return Ok(false);
    };
    let moved = match turn {
        Turn::Start => ticket.value.start_day(due.day, now).map(|it| it == Started::Now),
        Turn::Expire => ticket.value.expire_day(due.day, now).map(|it| it == Expired::Now),
    };
    match moved {
        Ok(true) => {}
        Ok(false) | Err(NotAllowed::Day { .. } | NotAllowed::NotDue { .. }) => return Ok(false),
        Err(err) => return Err(err.into()),
    }
    tickets::save(&mut tx, &mut ticket).await?;
    match turn {
        Turn::Start => {
            events::enqueue(
                &mut tx,
                &wire::daily_ticket_started(&ticket.value, ticket.version, due.day, now),
                now,
            )
            .await?;
        }
        Turn::Expire => {
            events::enqueue(
                &mut tx,
                &wire::daily_ticket_expired(&ticket.value, ticket.version, due.day, now),
                now,
            )
            .await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}
