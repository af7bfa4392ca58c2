use auth::Caller;
use service::Scope;
use types::SiteId;

use super::{App, Error, reached};
use crate::domain::{Cursor, Filter, Place, Sealed};
use crate::store::search;

/// Bytes of what a page's entries say; a message holds 4 MiB, and 200 entries have hashes and ids besides.
const ROOM: usize = 3 << 20;

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
    /// One page, newest first by the time it happened, and where the next one begins; none after the last. Long entries
    /// make it shorter than was asked for.
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
        let kept = fitting(page.iter().take(query.limit as usize));
        let more = page.len() > kept;
        page.truncate(kept);
        let last = page.last().filter(|_| more);
        let next = last.map(|last| Place { at: last.entry.at, position: last.position });
        Ok((page, next.map(|place| Cursor::new(place, &query.filter, site))))
    }
}

/// How many of the entries a message holds, from the first; one at least. One alone always fits: an event is at most
/// `events::MAX_EVENT_BYTES` long.
fn fitting<'a>(entries: impl Iterator<Item = &'a Sealed>) -> usize {
    let sums = entries.scan(0, |sum, sealed| {
        *sum += sealed.entry.bytes();
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= ROOM).count().max(1)
}
