use std::fmt;

use auth::Caller;
use proto::directory::v1::SearchWorkersResponse;
use types::{ContractorId, Page, SiteId};
use vault::{IdNo, Phone};

use super::{App, Error, confined, personal};
use crate::store;
use crate::store::people::Wanted;

pub(crate) struct SearchWorkers {
    pub site: SiteId,
    pub contractor: Option<ContractorId>,
    /// An exact name, or a whole phone or identity number; empty finds everybody.
    pub keyword: String,
    pub bound: Option<bool>,
    pub page: Page,
}

impl fmt::Debug for SearchWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchWorkers").field("site", &self.site).finish_non_exhaustive()
    }
}

impl App {
    /// The people of a site, numbers masked. A contractor's administrator finds their own and those of none.
    #[tracing::instrument(name = "worker.search", skip_all, fields(site.id = %query.site))]
    pub(crate) async fn search_workers(
        &self,
        caller: &Caller,
        query: SearchWorkers,
    ) -> Result<SearchWorkersResponse, Error> {
        let SearchWorkers { site, contractor, keyword, bound, page } = query;
        let scope = confined(caller, site)?;
        if let (Some(own), Some(wanted)) = (caller.contractor, contractor)
            && own != wanted
        {
            return Err(Error::NotFound);
        }
        let keyword = (!keyword.trim().is_empty()).then(|| self.indexes(&keyword));
        let wanted = Wanted { contractor, confined_to: caller.contractor, keyword, bound };
        let mut tx = self.store.begin(scope).await?;
        store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        let (people, total) = store::people::search(&mut tx, site, &wanted, page).await?;
        let synced_at = store::rosters::synced_at(&mut tx, site).await?;
        let workers = people.into_iter().map(|person| personal::row(&self.vault, person));
        Ok(SearchWorkersResponse {
            workers: workers.collect::<Result<_, _>>()?,
            total,
            roster_synced_at: synced_at.map(proto::timestamp),
        })
    }

    /// What the keyword would be kept as, whatever it is.
    fn indexes(&self, keyword: &str) -> Vec<Vec<u8>> {
        let mut indexes = vec![personal::name_index(&self.vault, keyword)];
        indexes.extend(
            Phone::parse(keyword).ok().map(|phone| personal::phone_index(&self.vault, &phone)),
        );
        indexes.extend(
            IdNo::parse(keyword).ok().map(|id_no| personal::id_no_index(&self.vault, &id_no)),
        );
        indexes
    }
}
