use auth::Caller;
use proto::directory::v1::NameWorkersResponse;
use types::WorkerId;

use super::{App, Error, personal, scope};
use crate::store;

impl App {
    /// Names of people who are or were on the caller's sites; others are left out. Numbers are masked.
    #[tracing::instrument(name = "worker.name", skip_all, fields(workers = workers.len()))]
    pub(crate) async fn name_workers(
        &self,
        caller: &Caller,
        workers: &[WorkerId],
    ) -> Result<NameWorkersResponse, Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        let people = store::people::known(&mut tx, workers).await?;
        let rows = people.into_iter().map(|person| personal::row(&self.vault, person));
        Ok(NameWorkersResponse { workers: rows.collect::<Result<_, _>>()? })
    }
}
