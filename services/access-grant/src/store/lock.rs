//! Who derives grants takes turns within a site, so that what one reads is not what another is about to change, and
//! the positions of the door log are committed in their order. Held until the transaction ends.

use service::{StoreError, Tx};
use types::SiteId;

/// Any fixed number; the space of one-key advisory locks is otherwise unused in this database.
const EVERYTHING: i64 = 0x5170_5a55_0001;

/// The turn of one site.
pub async fn site(tx: &mut Tx, site: SiteId) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock_shared($1)", EVERYTHING).execute(&mut **tx).await?;
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended($1::text, $2))",
        site.to_string(),
        EVERYTHING
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The turn of all sites, for what belongs to none. Never after [`site`] in one transaction.
pub async fn everything(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", EVERYTHING).execute(&mut **tx).await?;
    Ok(())
}
