use std::collections::BTreeMap;

use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::directory::v1::{Worker, WorkerBound, WorkerChanged, WorkerUnbound};
use service::Tx;
use types::SiteId;

use crate::domain::LastDay;
use crate::store::{bindings, engagements};

/// Keeps which workers are bound, whom a notice can reach, and until when they are on which site's roster.
#[derive(Debug, Clone, Copy)]
pub struct FollowWorkers;

#[events::async_trait]
impl Handler for FollowWorkers {
    fn durable(&self) -> &'static str {
        "ticket--follow-workers"
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
        let ends = ends(delivery, &worker)?;
        if bindings::keep(tx, id, worker.bound, delivery.row_version()?).await? {
            engagements::keep(tx, id, &ends).await?;
        }
        Ok(())
    }
}

fn ends(delivery: &Delivery, worker: &Worker) -> Result<BTreeMap<SiteId, LastDay>, Failure> {
    let ending = worker.engagements.iter().filter(|engaged| !engaged.until.is_empty());
    let ending = ending.map(|engaged| (&engaged.site_id, &engaged.until, false));
    let left = worker.departures.iter().map(|left| (&left.site_id, &left.until, true));
    let end = |(site, until, gone): (&String, &String, bool)| {
        let date = delivery.parse("until", until)?;
        Ok((delivery.parse("site_id", site)?, LastDay { date, gone }))
    };
    ending.chain(left).map(end).collect()
}
