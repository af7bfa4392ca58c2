use auth::Caller;

use super::{App, Error, own, scope};
use crate::domain::{Record, RecordFilter};
use crate::store;

impl App {
    /// A worker's own records; an administrator's sites' records, a contractor's only of its own tickets.
    #[tracing::instrument(name = "training.list_records", skip_all)]
    pub async fn list_records(
        &self,
        caller: &Caller,
        mut filter: RecordFilter,
    ) -> Result<Vec<Record>, Error> {
        if caller.worker_id().is_some() {
            filter.worker = Some(own(caller, filter.worker)?);
        }
        filter.contractor = caller.contractor;
        let mut tx = self.store.begin(scope(caller)).await?;
        Ok(store::records::list(&mut tx, &filter).await?)
    }
}
