use auth::Caller;
use proto::directory::v1::GetSiteResponse;
use types::SiteId;

use super::{App, Error, confined};
use crate::{store, wire};

impl App {
    #[tracing::instrument(name = "site.get", skip_all, fields(site.id = %site))]
    pub(crate) async fn get_site(
        &self,
        caller: &Caller,
        site: SiteId,
    ) -> Result<GetSiteResponse, Error> {
        let mut tx = self.store.begin(confined(caller, site)?).await?;
        let site = store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        Ok(GetSiteResponse { site: Some(wire::site(&site)) })
    }
}
