use auth::Caller;
use service::Scope;
use types::SiteId;

use super::{App, Error, reached};
use crate::domain::{Cursor, Filter, Place, Sealed};
use crate::store::search;

/// Asks for the newest entries of one site, or of what belongs to none.
#[derive(Debug)]
pub(crate) struct ListEntries {
    pub(crate) caller: Caller,
    pub(crate) site: Option<SiteId>,
    pub(crate) filter: Filter,
    /// Where the page before ended.
    pub(crate) cursor: Option<Cursor>,
    pub(crate) limit: u32,
}

impl App {
    /// One page, newest first by the time it happened, and where the next one begins; none after the last.
    #[tracing::instrument(name = "audit.list_entries", skip_all)]
    pub(crate) async fn list_entries(
        &self,
        query: ListEntries,
    ) -> Result<(Vec<Sealed>, Option<Cursor>), Error> {
        let site = reached(&query.caller, query.site)?;
        let below = match query.cursor {
            Some(cursor) => Some(cursor.place(&query.filter, site).ok_or(Error::CursorExpired)?),
            None => None,
        };
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        let limit = i64::from(query.limit);
        let mut page = search::list(&mut tx, site, &query.filter, below, limit + 1).await?;
        let more = page.len() > query.limit as usize;
        page.truncate(query.limit as usize);
        let last = page.last().filter(|_| more);
        let next = last.map(|last| Place { at: last.entry.at, position: last.position });
        Ok((page, next.map(|place| Cursor::new(place, &query.filter, site))))
    }
}
