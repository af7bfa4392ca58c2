use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::DeviceId;

/// Uses a nonce up; `false` when it was used and that use is not forgotten yet. Of two at once one gets it.
pub(crate) async fn spend(
    tx: &mut Tx,
    device: &DeviceId,
    nonce: &str,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let spent = sqlx::query!(
        "INSERT INTO device.nonces AS held (device_id, nonce, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (device_id, nonce) DO UPDATE SET expires_at = excluded.expires_at
         WHERE held.expires_at < $4",
        device.as_str(),
        nonce,
        expires_at,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(spent.rows_affected() == 1)
}

/// Forgets nonces whose requests would be refused for their age; says how many.
pub(crate) async fn forget(tx: &mut Tx, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let gone = sqlx::query!("DELETE FROM device.nonces WHERE expires_at < $1", now)
        .execute(&mut **tx)
        .await?;
    Ok(gone.rows_affected())
}
