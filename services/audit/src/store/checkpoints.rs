//! What the database remembers of the checkpoints outside it.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};

/// A checkpoint that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) number: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) hash: [u8; 32],
}

/// The newest one.
pub(crate) async fn newest(tx: &mut Tx) -> Result<Option<Noted>, StoreError> {
    let row =
        sqlx::query!("SELECT number, at, hash FROM audit.checkpoints ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut **tx)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let corrupt = || StoreError::corrupt("audit.checkpoints", row.number);
    Ok(Some(Noted {
        number: u64::try_from(row.number).map_err(|_| corrupt())?,
        at: row.at,
        hash: row.hash.try_into().map_err(|_| corrupt())?,
    }))
}

/// Noting one twice changes nothing.
pub(crate) async fn note(tx: &mut Tx, noted: Noted) -> Result<(), StoreError> {
    let number = i64::try_from(noted.number)
        .map_err(|_| StoreError::corrupt("audit.checkpoints", noted.number))?;
    sqlx::query!(
        "INSERT INTO audit.checkpoints (number, at, hash) VALUES ($1, $2, $3) ON CONFLICT (number) DO NOTHING",
        number,
        noted.at,
        &noted.hash,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
