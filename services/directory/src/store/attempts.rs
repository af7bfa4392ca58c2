use chrono::{DateTime, Utc};
use service::{StoreError, Tx};

use crate::domain::AttemptId;

/// Counts the attempts about one subject since `since`, one at a time until this transaction ends; the oldest of them
/// comes along.
pub(crate) async fn count(
    tx: &mut Tx,
    about: &[u8],
    since: DateTime<Utc>,
) -> Result<(i64, Option<DateTime<Utc>>), StoreError> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended(encode($1::bytea, 'hex'), 0))",
        about
    )
    .execute(&mut **tx)
    .await?;
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", min(at) AS oldest FROM directory.attempts WHERE about_index = $1 AND at > $2"#,
        about,
        since,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((row.count, row.oldest))
}

pub(crate) async fn add(
    tx: &mut Tx,
    attempt: AttemptId,
    about: &[u8],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO directory.attempts (attempt_id, about_index, at) VALUES ($1, $2, $3)",
        attempt.0,
        about,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// It came to something else than was feared: no limit counts it any more.
pub(crate) async fn take_back(tx: &mut Tx, attempt: AttemptId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM directory.attempts WHERE attempt_id = $1", attempt.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What was tried about this subject before does not count any more.
pub(crate) async fn clear(tx: &mut Tx, about: &[u8]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM directory.attempts WHERE about_index = $1", about)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets up to `most` rows from before `before`; says how many.
pub(crate) async fn forget(
    tx: &mut Tx,
    before: DateTime<Utc>,
    most: i64,
) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM directory.attempts WHERE (attempt_id, about_index) IN
             (SELECT attempt_id, about_index FROM directory.attempts WHERE at < $1 LIMIT $2)",
        before,
        most,
    )
    .execute(&mut **tx)
    .await?;
    Ok(gone.rows_affected())
}
