use auth::Caller;
use serde_json::json;
use service::Scope;
use types::WorkerId;

use super::records::of_worker;
use super::{App, Error, bind_worker, fact, scope};
use crate::domain::BindingEnd;
use crate::store;

impl App {
    /// Ends a worker's binding. Where there is none nothing changes.
    #[tracing::instrument(name = "worker.unbind", skip_all, fields(worker.id = %worker))]
    pub(crate) async fn unbind_worker(
        &self,
        caller: &Caller,
        worker: WorkerId,
        reason: &str,
    ) -> Result<(), Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        if store::people::known(&mut tx, &[worker]).await?.is_empty() {
            return Err(Error::NotFound);
        }
        drop(tx);
        let now = self.clock.now();
        let mut tx =
            self.store.begin(Scope::System("a worker's engagements of every site")).await?;
        store::workers::lock(&mut tx, &[worker]).await?;
        let Some(binding) = store::bindings::of_worker(&mut tx, worker).await? else {
            return Ok(());
        };
        let mut workers = store::workers::load(&mut tx, &[worker]).await?;
        let held = workers.first_mut().ok_or(Error::NotFound)?;
        bind_worker::end(&mut tx, held, &binding, BindingEnd::ByAdmin, now).await?;
        let mut record = fact(caller, "worker.unbind", "worker", worker.to_string(), now);
        record.before = Some(json!({ "binding_id": binding.id.to_string() }));
        record.reason = Some(reason);
        of_worker(&mut tx, worker, record).await?;
        tx.commit().await?;
        Ok(())
    }
}
