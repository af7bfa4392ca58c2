use events::{Delivery, Failure, Handler, async_trait};
use proto::directory::v1::WorkerChanged;
use service::Tx;

use crate::{store, wire};

/// Keeps whose face is whose, and who works where for whom.
#[derive(Debug, Clone, Copy)]
pub struct FollowWorkers;

#[async_trait]
impl Handler for FollowWorkers {
    fn durable(&self) -> &'static str {
        "device--follow-workers"
    }

    fn context(&self) -> &'static str {
        "directory"
    }

    fn events(&self) -> &'static [&'static str] {
        &["WorkerChanged"]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Worker"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let fact: WorkerChanged = delivery.decode()?;
        let worker = wire::worker(&fact.worker.unwrap_or_default())
            .map_err(|err| Failure::Park(err.to_string()))?;
        Ok(store::workers::keep(tx, &worker).await?)
    }
}
