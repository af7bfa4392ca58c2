use std::fmt;

use auth::Caller;
use proto::directory::v1::SearchWorkersResponse;
use service::Scope;
use types::{ContractorId, Page, SiteId};
use vault::{IdNo, Phone};

use super::{App, Error, confined, personal};
use crate::store;
use crate::store::people::Wanted;

/// Whom to look for, of those the caller may see.
#[derive(Clone)]
pub(crate) struct WorkerFilter {
    pub site: SiteId,
    pub contractor: Option<ContractorId>,
    /// An exact name, or a whole phone or identity number; empty finds everybody.
    pub keyword: String,
    pub bound: Option<bool>,
    /// Those too who were on the site's roster once.
    pub departed_too: bool,
}

impl fmt::Debug for WorkerFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerFilter").field("site", &self.site).finish_non_exhaustive()
    }
}

impl App {
    /// The people of a site, numbers masked. A contractor's administrator finds their own and those of none.
    #[tracing::instrument(name = "worker.search", skip_all, fields(site.id = %filter.site))]
    pub(crate) async fn search_workers(
        &self,
        caller: &Caller,
        filter: &WorkerFilter,
        page: Page,
    ) -> Result<SearchWorkersResponse, Error> {
        let (scope, wanted) = self.wanted(caller, filter)?;
        let site = filter.site;
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

    /// What a filter means for this caller. To a contractor's administrator another contractor is unknown.
    pub(super) fn wanted(
        &self,
        caller: &Caller,
        filter: &WorkerFilter,
    ) -> Result<(Scope, Wanted), Error> {
        let scope = confined(caller, filter.site)?;
        if let (Some(own), Some(wanted)) = (caller.contractor, filter.contractor)
            && own != wanted
        {
            return Err(Error::NotFound);
        }
        let keyword = filter.keyword.trim();
        let wanted = Wanted {
            contractor: filter.contractor,
            confined_to: caller.contractor,
            keyword: (!keyword.is_empty()).then(|| self.indexes(keyword)),
            bound: filter.bound,
            departed_too: filter.departed_too,
        };
        Ok((scope, wanted))
    }

    /// What the keyword would be kept as, whatever it is.
    fn indexes(&self, keyword: &str) -> Vec<Vec<u8>> {
        let mut indexes = personal::name_indexes(&self.vault, keyword);
        if let Ok(phone) = Phone::parse(keyword) {
            indexes.extend(personal::phone_indexes(&self.vault, &phone));
        }
        if let Ok(id_no) = IdNo::parse(keyword) {
            indexes.extend(personal::id_no_indexes(&self.vault, &id_no));
        }
        indexes
    }
}
