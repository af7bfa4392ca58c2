use auth::Caller;
use proto::directory::v1::ExportWorkersResponse;
use serde_json::json;
use types::Page;

use super::search_workers::WorkerFilter;
use super::{App, Error, fact, personal};
use crate::{store, wire};

/// More would be no file a person looks through.
const MOST: u32 = 15_000;

impl App {
    /// Whom a search would find, all at once and masked, for a file that leaves the system; therefore recorded, with
    /// what it was filtered by but never with the keyword.
    #[tracing::instrument(name = "worker.export", skip_all, fields(site.id = %filter.site))]
    pub(crate) async fn export_workers(
        &self,
        caller: &Caller,
        filter: &WorkerFilter,
    ) -> Result<ExportWorkersResponse, Error> {
        let (scope, wanted) = self.wanted(caller, filter)?;
        let (site, now) = (filter.site, self.clock.now());
        let mut tx = self.store.begin(scope).await?;
        let found = store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        let all = Page { page: 1, page_size: MOST };
        let (people, total) = store::people::search(&mut tx, site, &wanted, all).await?;
        if total > MOST {
            return Err(Error::field(
                "contractor_id",
                "is needed: these are more than 15000 people",
            ));
        }
        let contractors = store::contractors::list(&mut tx, Some(site), None).await?;
        let synced_at = store::rosters::synced_at(&mut tx, site).await?;
        let workers = people.into_iter().map(|person| personal::row(&self.vault, person));
        let workers = workers.collect::<Result<Vec<_>, _>>()?;
        let mut record = fact(caller, "worker.export", "site", site.to_string(), now);
        record.site = Some(site);
        record.after = Some(json!({
            "count": workers.len(),
            "contractor_id": filter.contractor.map(|contractor| contractor.to_string()),
            "bound": filter.bound,
            "by_keyword": wanted.keyword.is_some(),
        }));
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(ExportWorkersResponse {
            site_name: found.name,
            workers,
            contractors: contractors.iter().map(wire::contractor).collect(),
            roster_synced_at: synced_at.map(proto::timestamp),
            exported_at: Some(proto::timestamp(now)),
        })
    }
}
