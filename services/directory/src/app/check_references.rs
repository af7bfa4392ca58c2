use auth::Caller;
use proto::directory::v1::{CheckReferencesResponse, EndingWorker};
use types::{AreaId, ContractorId, SiteId, WorkerId};

use super::{App, Error, confined};
use crate::{store, wire};

#[derive(Debug)]
pub(crate) struct CheckReferences {
    pub site: SiteId,
    pub contractor: Option<ContractorId>,
    pub areas: Vec<AreaId>,
    pub workers: Vec<WorkerId>,
}

impl App {
    /// Whether these ids are live and of this site. To a contractor's administrator other contractors' people are
    /// unknown, and so is another contractor.
    #[tracing::instrument(name = "reference.check", skip_all, fields(site.id = %query.site))]
    pub(crate) async fn check_references(
        &self,
        caller: &Caller,
        query: CheckReferences,
    ) -> Result<CheckReferencesResponse, Error> {
        let CheckReferences { site, contractor, areas, workers } = query;
        let own = caller.contractor;
        let mut tx = self.store.begin(confined(caller, site)?).await?;
        let site_row = store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        let contractor_on_site = match contractor {
            Some(contractor) if own.is_none_or(|own| own == contractor) => {
                store::contractors::sites_of(&mut tx, contractor).await?.contains(&site)
            }
            _ => false,
        };
        let known_areas = store::areas::active(&mut tx, site, &areas).await?;
        let known = store::people::on_site(&mut tx, site, &workers, own).await?;
        let synced_at = store::rosters::synced_at(&mut tx, site).await?;
        let unknown_areas =
            areas.iter().filter(|id| !known_areas.iter().any(|area| area.id == **id));
        let unknown_workers = workers.iter().filter(|id| !known.contains_key(id));
        let unbound = workers.iter().filter(|id| known.get(id).is_some_and(|on| !on.bound));
        let ending = workers.iter().filter_map(|id| {
            let until = known.get(id)?.until?.to_string();
            Some(EndingWorker { worker_id: id.to_string(), until })
        });
        Ok(CheckReferencesResponse {
            site: Some(wire::site(&site_row)),
            contractor_on_site,
            unknown_area_ids: unknown_areas.map(ToString::to_string).collect(),
            unknown_worker_ids: unknown_workers.map(ToString::to_string).collect(),
            unbound_worker_ids: unbound.map(ToString::to_string).collect(),
            areas: known_areas.iter().map(wire::area).collect(),
            ending_workers: ending.collect(),
            roster_synced_at: synced_at.map(proto::timestamp),
        })
    }
}
