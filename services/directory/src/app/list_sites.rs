use auth::Caller;
use proto::directory::v1::ListSitesResponse;

use super::{App, Error, scope};
use crate::{store, wire};

impl App {
    /// The caller's sites by name.
    #[tracing::instrument(name = "site.list", skip_all)]
    pub(crate) async fn list_sites(&self, caller: &Caller) -> Result<ListSitesResponse, Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        let sites = store::sites::list(&mut tx).await?;
        Ok(ListSitesResponse { sites: sites.iter().map(wire::site).collect() })
    }
}
