//! Controllers' secrets that are sealed under a key before the current one.

use service::{StoreError, Tx};
use uuid::Uuid;

use super::devices::Sealed;

/// The first `most` after `after` by what they are tied to, held until the transaction ends. The first byte of a sealed
/// value says which key.
pub(crate) async fn stale(
    tx: &mut Tx,
    current: u8,
    after: Uuid,
    most: i64,
) -> Result<Vec<Sealed>, StoreError> {
    let stale = sqlx::query_as!(
        Sealed,
        "SELECT secret_id AS id, secret FROM device.devices WHERE get_byte(secret, 0) < $1 AND secret_id > $2
         ORDER BY secret_id LIMIT $3 FOR NO KEY UPDATE",
        i32::from(current),
        after,
        most,
    );
    Ok(stale.fetch_all(&mut **tx).await?)
}

/// Writes secrets whose rows are held.
pub(crate) async fn save(tx: &mut Tx, secrets: &[Sealed]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE device.devices d SET secret = new.secret
         FROM unnest($1::uuid[], $2::bytea[]) AS new (id, secret) WHERE d.secret_id = new.id",
        &secrets.iter().map(|sealed| sealed.id).collect::<Vec<_>>(),
        &secrets.iter().map(|sealed| sealed.secret.clone()).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How many rows are sealed under which key version.
pub(crate) async fn versions(tx: &mut Tx) -> Result<Vec<(i32, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT get_byte(secret, 0) AS "version!", count(*) AS "count!" FROM device.devices GROUP BY 1 ORDER BY 1"#,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.version, row.count)).collect())
}
