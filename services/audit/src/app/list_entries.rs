use auth::Caller;
use service::Scope;
use types::SiteId;

use super::{App, Error};
use crate::domain::Sealed;
use crate::store::entries::{self, Filter};

/// Asks for the newest entries of one site.
#[derive(Debug)]
pub(crate) struct ListEntries {
    pub(crate) caller: Caller,
    pub(crate) site: SiteId,
    pub(crate) filter: Filter,
    /// Only entries below this place: where the page before ended.
    pub(crate) before: Option<u64>,
    pub(crate) limit: u32,
}

impl App {
    /// One page and the place the next one starts below; none after the last.
    #[tracing::instrument(name = "audit.list_entries", skip_all, fields(site.id = %query.site))]
    pub(crate) async fn list_entries(
        &self,
        query: ListEntries,
    ) -> Result<(Vec<Sealed>, Option<u64>), Error> {
        if !query.caller.may_touch(query.site) {
            return Err(Error::NotFound);
        }
        let mut tx = self.store.begin(Scope::Site(query.site)).await?;
        let limit = i64::from(query.limit);
        let mut page =
            entries::list(&mut tx, query.site, &query.filter, query.before, limit + 1).await?;
        let more = page.len() > query.limit as usize;
        page.truncate(query.limit as usize);
        let next = if more { page.last().map(|sealed| sealed.position) } else { None };
        Ok((page, next))
    }
}
