//! Which hours an account that reaches every site spent on which.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AccountId, SiteId};

/// Remembers an hour; whether it was not known before.
pub(crate) async fn enter(
    tx: &mut Tx,
    site: SiteId,
    account: AccountId,
    hour: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let written = sqlx::query!(
        "INSERT INTO audit.crossings (site_id, account_id, hour) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        site.as_uuid(),
        account.as_uuid(),
        hour,
    )
    .execute(&mut **tx)
    .await?;
    Ok(written.rows_affected() == 1)
}

/// Forgets hours that are over; their entries stay.
pub(crate) async fn forget(tx: &mut Tx, before: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM audit.crossings WHERE hour < $1", before).execute(&mut **tx).await?;
    Ok(())
}
