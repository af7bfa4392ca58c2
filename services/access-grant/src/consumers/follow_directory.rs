use chrono::{DateTime, Utc};
use events::{Delivery, Failure, Handler, async_trait};
use proto::directory::v1 as pb;
use service::Tx;
use types::{ContractorId, FaceId, SiteClock, SiteId, WorkerId};

use super::{instant, missing, parse, parse_some};
use crate::ensure::ensure_grants;
use crate::store::tickets::Which;
use crate::store::workers::WorkerVersion;
use crate::store::{areas, lock, tickets, workers};

/// Keeps areas with their groups, workers with their faces, and bindings; a changed group or face goes to the doors.
#[derive(Debug, Clone)]
pub struct FollowDirectory {
    clock: SiteClock,
}

impl FollowDirectory {
    pub fn new(clock: SiteClock) -> Self {
        Self { clock }
    }

    async fn area(&self, tx: &mut Tx, area: &pb::Area, at: DateTime<Utc>) -> Result<(), Failure> {
        let id = parse("area_id", &area.area_id)?;
        let site = parse("site_id", &area.site_id)?;
        let group = parse_some("access_group_id", &area.access_group_id)?;
        lock::site(tx, site).await?;
        if areas::keep(tx, id, area.version, site, at, group.as_ref()).await? {
            let days = areas::days_with_grants(tx, id).await?;
            let days = tickets::days(tx, Which::Days(&days)).await?;
            ensure_grants(tx, &days, None, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn worker(
        &self,
        tx: &mut Tx,
        worker: &pb::Worker,
        at: DateTime<Utc>,
    ) -> Result<WorkerId, Failure> {
        let id: WorkerId = parse("worker_id", &worker.worker_id)?;
        let face: Option<FaceId> = parse_some("face_id", &worker.face_id)?;
        let mut version = WorkerVersion {
            id,
            version: worker.version,
            effective_at: at,
            face,
            sites: Vec::new(),
            contractors: Vec::new(),
        };
        for engagement in &worker.engagements {
            version.sites.push(parse::<SiteId>("site_id", &engagement.site_id)?.as_uuid());
            let contractor: Option<ContractorId> =
                parse_some("contractor_id", &engagement.contractor_id)?;
            version.contractors.extend(contractor.map(ContractorId::as_uuid));
        }
        let now = self.clock.now();
        if workers::faces(tx, &[id]).await?.get(&id) == version.face.as_ref() {
            workers::keep(tx, &version).await?;
            return Ok(id);
        }
        lock::everything(tx).await?;
        workers::keep(tx, &version).await?;
        let days = tickets::open_days_of(tx, id, now).await?;
        ensure_grants(tx, &days, Some(id), now).await?;
        Ok(id)
    }
}

#[async_trait]
impl Handler for FollowDirectory {
    fn durable(&self) -> &'static str {
        "access-grant--follow-directory"
    }

    fn context(&self) -> &'static str {
        "directory"
    }

    fn events(&self) -> &'static [&'static str] {
        &["AreaChanged", "WorkerChanged", "WorkerBound", "WorkerUnbound"]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Area", "Worker", "WorkerBinding"]
    }

    /// Grants are brought up to date once a transaction, last; and nobody takes the turn of all sites after that of one.
    fn batch(&self) -> usize {
        1
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        match delivery.name.as_str() {
            "AreaChanged" => {
                let fact: pb::AreaChanged = delivery.decode()?;
                self.area(tx, &fact.area.ok_or_else(|| missing("area"))?, delivery.at).await
            }
            "WorkerChanged" => {
                let fact: pb::WorkerChanged = delivery.decode()?;
                self.worker(tx, &fact.worker.ok_or_else(|| missing("worker"))?, delivery.at)
                    .await
                    .map(drop)
            }
            "WorkerBound" => {
                let fact: pb::WorkerBound = delivery.decode()?;
                let bound_at = instant("bound_at", fact.bound_at.as_ref())?;
                let binding = parse("binding_id", &fact.binding_id)?;
                let worker = self
                    .worker(tx, &fact.worker.ok_or_else(|| missing("worker"))?, delivery.at)
                    .await?;
                Ok(workers::bound(tx, binding, worker, bound_at).await?)
            }
            "WorkerUnbound" => {
                let fact: pb::WorkerUnbound = delivery.decode()?;
                let unbound_at = instant("unbound_at", fact.unbound_at.as_ref())?;
                let binding = parse("binding_id", &fact.binding_id)?;
                let worker = self
                    .worker(tx, &fact.worker.ok_or_else(|| missing("worker"))?, delivery.at)
                    .await?;
                Ok(workers::unbound(tx, binding, worker, unbound_at).await?)
            }
            _ => Ok(()),
        }
    }
}
