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

impl App {
    /// Starts and expires every day whose time has come, each in a transaction of its own. It looks at what is due,
    /// not at when it last ran: running again, late or twice at once is safe. A run that lost its lease moves no day.
    #[tracing::instrument(name = "ticket.lifecycle", skip_all)]
    pub async fn run_lifecycle(&self, run: &Run) -> Result<Lifecycle, RunError> {
        let mut done = Lifecycle::default();
        for turn in [Turn::Start, Turn::Expire] {
            loop {
                let now = self.clock.now();
                let scope = Scope::System("look for days whose time has come");
                let due = tickets::due(&mut run.begin(scope).await?, turn, now, BATCH).await?;
                let mut moved = 0;
                for day in &due {
                    let tx = run.begin(Scope::Site(day.site)).await?;
                    match turn_day(tx, turn, *day, now).await {
                        Ok(true) => moved += 1,
                        Ok(false) | Err(Error::Store(StoreError::Conflict)) => done.missed += 1,
                        Err(err) => return Err(err.into()),
                    }
                }
                match turn {
                    Turn::Start => done.started += moved,
                    Turn::Expire => done.expired += moved,
                }
                if moved == 0 || i64::try_from(due.len()).is_ok_and(|due| due < BATCH) {
                    break;
                }
            }
        }
        Ok(done)
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
        Ok(false) | Err(NotAllowed::Day { .. }) => return Ok(false),
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
