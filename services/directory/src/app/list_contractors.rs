use auth::Caller;
use proto::directory::v1::ListContractorsResponse;
use service::Scope;
use types::SiteId;

use super::{App, Error, confined, scope};
use crate::{store, wire};

impl App {
    /// The contractors of one site, or all the caller may see. A contractor's administrator sees their own.
    #[tracing::instrument(name = "contractor.list", skip_all)]
    pub(crate) async fn list_contractors(
        &self,
        caller: &Caller,
        site: Option<SiteId>,
    ) -> Result<ListContractorsResponse, Error> {
        let scope = match site {
            Some(site) => confined(caller, site)?,
            None => scope(caller),
        };
        let confined = matches!(scope, Scope::Sites(_));
        let mut tx = self.store.begin(scope).await?;
        let mut contractors = store::contractors::list(&mut tx, site, caller.contractor).await?;
        // The scope hides sites, and with all of them hidden the contractor is none of the caller's.
        contractors.retain(|contractor| !confined || !contractor.sites.is_empty());
        Ok(ListContractorsResponse {
            contractors: contractors.iter().map(wire::contractor).collect(),
        })
    }
}
