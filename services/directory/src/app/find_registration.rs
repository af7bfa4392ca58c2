use proto::directory::v1::FindRegistrationResponse;
use service::Scope;

use super::{App, Error};
use crate::store;

impl App {
    /// The site a registration code names, for whoever scanned it.
    #[tracing::instrument(name = "site.find_registration", skip_all)]
    pub(crate) async fn find_registration(
        &self,
        code: &str,
    ) -> Result<FindRegistrationResponse, Error> {
        let mut tx = self.store.begin(Scope::System("a registration code names any site")).await?;
        let found = store::registrations::find(&mut tx, code).await?.ok_or(Error::NotFound)?;
        Ok(FindRegistrationResponse {
            site_id: found.site_id.to_string(),
            site_name: found.site_name,
            id_last_six: found.id_last_six,
        })
    }
}
