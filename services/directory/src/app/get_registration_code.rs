use auth::Caller;
use proto::directory::v1::GetRegistrationCodeResponse;
use types::SiteId;

use super::{App, Error, confined};
use crate::store;

impl App {
    /// The code in a site's registration link. It names the site and opens nothing, so it never changes.
    #[tracing::instrument(name = "site.get_registration_code", skip_all, fields(site.id = %site))]
    pub(crate) async fn get_registration_code(
        &self,
        caller: &Caller,
        site: SiteId,
    ) -> Result<GetRegistrationCodeResponse, Error> {
        let mut tx = self.store.begin(confined(caller, site)?).await?;
        let found = store::registrations::of_site(&mut tx, site).await?.ok_or(Error::NotFound)?;
        Ok(GetRegistrationCodeResponse {
            code: found.code,
            site_name: found.site_name,
            id_last_six: found.id_last_six,
        })
    }
}
