//! What a site's registration link leads to.

use service::{StoreError, Tx};
use types::SiteId;
use uuid::Uuid;

#[derive(Debug)]
pub(crate) struct Registration {
    pub site_id: Uuid,
    pub site_name: String,
    pub code: String,
    pub id_last_six: bool,
}

pub(crate) async fn of_site(tx: &mut Tx, site: SiteId) -> Result<Option<Registration>, StoreError> {
    let found = sqlx::query_as!(
        Registration,
        "SELECT site_id, name AS site_name, registration_code AS code, bind_id_last_six AS id_last_six
         FROM directory.sites WHERE site_id = $1",
        site.as_uuid(),
    );
    Ok(found.fetch_optional(&mut **tx).await?)
}

/// Codes are in capitals.
pub(crate) async fn find(tx: &mut Tx, code: &str) -> Result<Option<Registration>, StoreError> {
    let found = sqlx::query_as!(
        Registration,
        "SELECT site_id, name AS site_name, registration_code AS code, bind_id_last_six AS id_last_six
         FROM directory.sites WHERE registration_code = upper($1)",
        code,
    );
    Ok(found.fetch_optional(&mut **tx).await?)
}
