use events::{Delivery, Failure, Handler, async_trait};
use proto::Event;
use proto::training::v1::{TrainingCompleted, TrainingReopened};
use service::Tx;
use types::{DailyTicketId, SiteClock, WorkerId};

use super::{instant, parse};
use crate::ensure::ensure_grants;
use crate::store::tickets::Which;
use crate::store::trainings::{Completion, Reopening};
use crate::store::{lock, tickets, trainings};

/// Keeps who completed a day's training, and grants what that earns; takes it back where the ticket came to ask for
/// more. A day not heard of yet earns it when it comes.
#[derive(Debug, Clone)]
pub struct FollowTraining {
    clock: SiteClock,
}

impl FollowTraining {
    pub fn new(clock: SiteClock) -> Self {
        Self { clock }
    }
}

#[async_trait]
impl Handler for FollowTraining {
    fn durable(&self) -> &'static str {
        "access-grant--follow-training"
    }

    fn context(&self) -> &'static str {
        "training"
    }

    fn events(&self) -> &'static [&'static str] {
        &[TrainingCompleted::NAME, TrainingReopened::NAME]
    }

    fn states(&self) -> &'static [&'static str] {
        &["TrainingDay"]
    }

    /// Grants are brought up to date once a transaction, last.
    fn batch(&self) -> usize {
        1
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let (day, worker) = match delivery.name.as_str() {
            TrainingReopened::NAME => reopen(tx, delivery).await?,
            _ => keep(tx, delivery).await?,
        };
        let days = tickets::days(tx, Which::Days(&[day])).await?;
        ensure_grants(tx, &days, Some(worker), self.clock.now()).await?;
        Ok(())
    }
}

async fn keep(tx: &mut Tx, delivery: &Delivery) -> Result<(DailyTicketId, WorkerId), Failure> {
    let fact: TrainingCompleted = delivery.decode()?;
    let completion = Completion {
        day: parse("daily_ticket_id", &fact.daily_ticket_id)?,
        worker: parse("worker_id", &fact.worker_id)?,
        site: parse("site_id", &fact.site_id)?,
        completed_at: instant("completed_at", fact.completed_at.as_ref())?,
        in_time: fact.in_time,
        version: fact.version,
    };
    lock::site(tx, completion.site).await?;
    trainings::keep(tx, &completion).await?;
    Ok((completion.day, completion.worker))
}

async fn reopen(tx: &mut Tx, delivery: &Delivery) -> Result<(DailyTicketId, WorkerId), Failure> {
    let fact: TrainingReopened = delivery.decode()?;
    let reopening = Reopening {
        day: parse("daily_ticket_id", &fact.daily_ticket_id)?,
        worker: parse("worker_id", &fact.worker_id)?,
        site: parse("site_id", &fact.site_id)?,
        at: instant("reopened_at", fact.reopened_at.as_ref())?,
        version: fact.version,
    };
    lock::site(tx, reopening.site).await?;
    trainings::reopen(tx, &reopening).await?;
    Ok((reopening.day, reopening.worker))
}
