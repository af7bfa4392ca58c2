use proto::directory::v1::CheckBindingResponse;
use service::Scope;
use types::WorkerId;

use super::{App, Error};
use crate::domain::{WechatUserId, Worker};
use crate::store;

impl App {
    /// Whether a session that says so is still of a bound worker, on which sites, and if not, why its binding ended.
    #[tracing::instrument(name = "binding.check", skip_all, fields(worker.id = %worker))]
    pub(crate) async fn check_binding(
        &self,
        worker: WorkerId,
        user: WechatUserId,
    ) -> Result<CheckBindingResponse, Error> {
        let mut tx =
            self.store.begin(Scope::System("a worker's engagements of every site")).await?;
        let last = store::bindings::last(&mut tx, worker, user).await?;
        let bound = last.as_ref().is_some_and(|last| last.ended_because.is_none());
        let ended_because = last.and_then(|last| last.ended_because).unwrap_or_default();
        let workers =
            if bound { store::workers::load(&mut tx, &[worker]).await? } else { Vec::new() };
        let sites = workers.iter().flat_map(Worker::sites);
        let site_ids = sites.map(|site| site.to_string()).collect();
        Ok(CheckBindingResponse { bound, ended_because, site_ids })
    }
}
