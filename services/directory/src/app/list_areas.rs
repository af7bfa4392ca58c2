use auth::Caller;
use proto::directory::v1::ListAreasResponse;
use types::SiteId;

use super::{App, Error, confined, scope};
use crate::{store, wire};

impl App {
    /// The areas of one site, or of all the caller may see.
    #[tracing::instrument(name = "area.list", skip_all)]
    pub(crate) async fn list_areas(
        &self,
        caller: &Caller,
        site: Option<SiteId>,
    ) -> Result<ListAreasResponse, Error> {
        let scope = match site {
            Some(site) => confined(caller, site)?,
            None => scope(caller),
        };
        let mut tx = self.store.begin(scope).await?;
        let areas = store::areas::list(&mut tx, site).await?;
        Ok(ListAreasResponse { areas: areas.iter().map(wire::area).collect() })
    }
}
