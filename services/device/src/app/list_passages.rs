use auth::Caller;

use super::{App, Error, reach};
use crate::domain::Passage;
use crate::store;
use crate::store::passages::{Filter, Place};

/// Asks for a page of passages, newest first.
#[derive(Debug)]
pub(crate) struct ListPassages {
    pub(crate) caller: Caller,
    pub(crate) filter: Filter,
    /// Where the page before ended.
    pub(crate) after: Option<Place>,
    pub(crate) limit: u32,
}

impl App {
    /// One page and the place the next one starts behind; none after the last. A contractor's administrator sees
    /// the passages of workers engaged by their contractor on that site, as engagements now are.
    #[tracing::instrument(name = "device.list_passages", skip_all)]
    pub(crate) async fn list_passages(
        &self,
        query: ListPassages,
    ) -> Result<(Vec<Passage>, Option<Place>), Error> {
        let scope = reach(&query.caller, query.filter.site)?;
        let filter = Filter { contractor: query.caller.contractor, ..query.filter };
        let mut tx = self.store.begin(scope).await?;
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut page =
            store::passages::list(&mut tx, &filter, query.after, i64::from(query.limit) + 1)
                .await?;
        let more = page.len() > limit;
        page.truncate(limit);
        let last =
            page.last().map(|passage| Place { at: passage.corrected_time, passage: passage.id });
        Ok((page, last.filter(|_| more)))
    }
}
