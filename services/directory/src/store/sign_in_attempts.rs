use chrono::{DateTime, Utc};
use service::{StoreError, Tx};

/// Counts the attempts since `since`, one at a time per user name until this transaction ends; the oldest of them
/// comes along. Forgets older ones.
pub(crate) async fn count(
    tx: &mut Tx,
    username: &[u8],
    since: DateTime<Utc>,
) -> Result<(i64, Option<DateTime<Utc>>), StoreError> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended(encode($1::bytea, 'hex'), 0))",
        username
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "DELETE FROM directory.sign_in_attempts WHERE username_index = $1 AND at <= $2",
        username,
        since
    )
    .execute(&mut **tx)
    .await?;
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", min(at) AS oldest FROM directory.sign_in_attempts WHERE username_index = $1"#,
        username,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((row.count, row.oldest))
}

pub(crate) async fn add(tx: &mut Tx, username: &[u8], at: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO directory.sign_in_attempts (username_index, at) VALUES ($1, $2)",
        username,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// They signed in: what failed before does not count any more.
pub(crate) async fn clear(tx: &mut Tx, username: &[u8]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM directory.sign_in_attempts WHERE username_index = $1", username)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
