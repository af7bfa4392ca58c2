use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::directory::v1::{WorkerBound, WorkerChanged, WorkerUnbound};
use service::Tx;

use super::{missing, read, unexpected, version};
use crate::store::workers;

/// Keeps which workers are bound: whom a notice can reach.
#[derive(Debug, Clone, Copy)]
pub struct FollowWorkers;

#[events::async_trait]
impl Handler for FollowWorkers {
    fn durable(&self) -> &'static str {
        "notification--follow-workers"
    }

    fn context(&self) -> &'static str {
        WorkerChanged::CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &[WorkerChanged::NAME, WorkerBound::NAME, WorkerUnbound::NAME]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let worker = match delivery.name.as_str() {
            WorkerChanged::NAME => delivery.decode::<WorkerChanged>()?.worker,
            WorkerBound::NAME => delivery.decode::<WorkerBound>()?.worker,
            WorkerUnbound::NAME => delivery.decode::<WorkerUnbound>()?.worker,
            _ => return Err(unexpected(delivery)),
        };
        let worker = worker.ok_or_else(|| missing(delivery, "worker"))?;
        let id = read(delivery, "worker_id", &worker.worker_id)?;
        Ok(workers::keep(tx, id, worker.bound, version(delivery)?).await?)
    }
}
