use auth::Caller;
use types::SiteId;

use super::{App, Error, reach};
use crate::domain::Device;
use crate::store;

impl App {
    /// The controllers of a site, or of all of the caller's.
    #[tracing::instrument(name = "device.list", skip_all)]
    pub(crate) async fn list_devices(
        &self,
        caller: &Caller,
        site: Option<SiteId>,
    ) -> Result<Vec<Device>, Error> {
        let mut tx = self.store.begin(reach(caller, site)?).await?;
        Ok(store::devices::list(&mut tx, site).await?)
    }
}
