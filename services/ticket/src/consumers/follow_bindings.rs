use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::directory::v1::{WorkerBound, WorkerChanged, WorkerUnbound};
use service::Tx;

use crate::store::bindings;

/// Keeps which workers are bound: whom a notice can reach.
#[derive(Debug, Clone, Copy)]
pub struct FollowBindings;

#[events::async_trait]
impl Handler for FollowBindings {
    fn durable(&self) -> &'static str {
        "ticket--follow-bindings"
    }

    fn context(&self) -> &'static str {
        "directory"
    }

    fn events(&self) -> &'static [&'static str] {
        &[WorkerChanged::NAME, WorkerBound::NAME, WorkerUnbound::NAME]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Worker", "WorkerBinding"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let worker = match delivery.name.as_str() {
            WorkerChanged::NAME => delivery.decode::<WorkerChanged>()?.worker,
            WorkerBound::NAME => delivery.decode::<WorkerBound>()?.worker,
            WorkerUnbound::NAME => delivery.decode::<WorkerUnbound>()?.worker,
            _ => return Err(delivery.unexpected()),
        };
        let worker = delivery.carried("worker", worker)?;
        let id = delivery.parse("worker_id", &worker.worker_id)?;
        Ok(bindings::keep(tx, id, worker.bound, delivery.row_version()?).await?)
    }
}
