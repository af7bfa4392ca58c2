//! What is known to be broken.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};

/// Remembers a problem; whether it is new, or another than before.
pub(crate) async fn set(
    tx: &mut Tx,
    about: &str,
    problem: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let written = sqlx::query!(
        "INSERT INTO audit.alarms AS known (about, problem, raised_at) VALUES ($1, $2, $3)
         ON CONFLICT (about) DO UPDATE SET problem = excluded.problem, raised_at = excluded.raised_at
         WHERE known.problem <> excluded.problem",
        about,
        problem,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(written.rows_affected() == 1)
}

/// Forgets the problem; whether there was one.
pub(crate) async fn clear(tx: &mut Tx, about: &str) -> Result<bool, StoreError> {
    let cleared =
        sqlx::query!("DELETE FROM audit.alarms WHERE about = $1", about).execute(&mut **tx).await?;
    Ok(cleared.rows_affected() == 1)
}

/// What is known to be broken, of those whose name begins so.
pub(crate) async fn standing(tx: &mut Tx, beginning: &str) -> Result<Vec<String>, StoreError> {
    let standing = sqlx::query_scalar!(
        "SELECT about FROM audit.alarms WHERE starts_with(about, $1) ORDER BY about",
        beginning,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(standing)
}
