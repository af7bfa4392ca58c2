//! Which hours an account that reaches every site spent on which.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AccountId, SiteId};
use uuid::Uuid;

/// Remembers an hour on each of the sites; of which it was not known before.
pub(crate) async fn enter(
    tx: &mut Tx,
    sites: &[SiteId],
    account: AccountId,
    hour: DateTime<Utc>,
) -> Result<Vec<SiteId>, StoreError> {
    let sites: Vec<Uuid> = sites.iter().map(|site| site.as_uuid()).collect();
    // In one order, so that two who enter do not wait for each other.
    let entered = sqlx::query_scalar!(
        "INSERT INTO audit.crossings (site_id, account_id, hour)
         SELECT site_id, $2, $3 FROM unnest($1::uuid[]) AS given (site_id) ORDER BY site_id
         ON CONFLICT DO NOTHING RETURNING site_id",
        &sites,
        account.as_uuid(),
        hour,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(entered.into_iter().map(SiteId::from_uuid).collect())
}

/// Forgets hours that are over; their entries stay.
pub(crate) async fn forget(tx: &mut Tx, before: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM audit.crossings WHERE hour < $1", before).execute(&mut **tx).await?;
    Ok(())
}
