use events::{Delivery, Failure, Handler, async_trait};
use proto::training::v1::TrainingCompleted;
use service::Tx;
use types::SiteClock;

use super::{instant, parse};
use crate::ensure::ensure_grants;
use crate::store::tickets::Which;
use crate::store::trainings::Completion;
use crate::store::{lock, tickets, trainings};

/// Keeps who completed a day's training, and grants what that earns. A day not heard of yet earns it when it comes.
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
        &["TrainingCompleted"]
    }

    fn states(&self) -> &'static [&'static str] {
        &["TrainingDay"]
    }

    /// Grants are brought up to date once a transaction, last.
    fn batch(&self) -> usize {
        1
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
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
        let days = tickets::days(tx, Which::Days(&[completion.day])).await?;
        ensure_grants(tx, &days, Some(completion.worker), self.clock.now()).await?;
        Ok(())
    }
}
