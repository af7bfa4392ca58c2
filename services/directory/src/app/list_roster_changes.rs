use auth::Caller;
use proto::directory::v1::{ListRosterChangesResponse, RosterChange};
use types::Page;

use super::{App, Error, personal, scope};
use crate::domain::{ReadingId, RosterChange as Change};
use crate::store;

#[derive(Debug)]
pub(crate) struct ListRosterChanges {
    pub reading: ReadingId,
    pub change: Option<Change>,
    pub page: Page,
}

impl App {
    /// Whom a reading found new, otherwise or gone, as they are now, numbers masked. A contractor's administrator finds
    /// their own and those of none.
    #[tracing::instrument(name = "worker.list_roster_changes", skip_all, fields(reading.id = %query.reading))]
    pub(crate) async fn list_roster_changes(
        &self,
        caller: &Caller,
        query: ListRosterChanges,
    ) -> Result<ListRosterChangesResponse, Error> {
        let ListRosterChanges { reading, change, page } = query;
        let mut tx = self.store.begin(scope(caller)).await?;
        let site = store::readings::site_of(&mut tx, reading).await?.ok_or(Error::NotFound)?;
        let own = caller.contractor;
        let (found, total) =
            store::details::changed_by(&mut tx, reading, change, own, page).await?;
        let changes = found.into_iter().map(|(change, person)| {
            Ok(RosterChange { change, worker: Some(personal::row(&self.vault, person)?) })
        });
        let changes = changes.collect::<Result<_, Error>>()?;
        Ok(ListRosterChangesResponse { changes, total, site_id: site.to_string() })
    }
}
