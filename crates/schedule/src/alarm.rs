//! Tells people of a job that does not do its work: once when a slot was given up, and once when one ran well again.

use service::{StoreError, Tx};

/// Raises the alert of `job`, unless it stands already.
pub(crate) async fn raise(
    tx: &mut Tx,
    job: &str,
    alarmed: bool,
    error: &str,
) -> Result<(), StoreError> {
    if alarmed {
        return Ok(());
    }
    tracing::error!(job, error, "slot given up");
    set(tx, job, true).await
}

/// Clears the alert of `job` if it stands.
pub(crate) async fn clear(tx: &mut Tx, job: &str, alarmed: bool) -> Result<(), StoreError> {
    if alarmed { set(tx, job, false).await } else { Ok(()) }
}

async fn set(tx: &mut Tx, job: &str, alarmed: bool) -> Result<(), StoreError> {
    sqlx::query("UPDATE jobs SET alarmed = $2 WHERE job = $1")
        .bind(job)
        .bind(alarmed)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
