//! Tells people of a job that does not do its work: once when a slot was given up, and once when one ran well again.

use events::alert::{self, Kind};
use service::migrate::schema;
use service::{StoreError, Tx};

/// Raises the alert of a service's job, unless it stands already.
pub(crate) async fn raise(
    tx: &mut Tx,
    service: &str,
    job: &str,
    alarmed: bool,
    error: &str,
) -> Result<(), StoreError> {
    if !alarmed {
        alert::raise(tx, &schema(service), Kind::JobGivenUp, job, error).await?;
        set(tx, job, true).await?;
    }
    Ok(())
}

/// Clears the alert of a service's job if it stands.
pub(crate) async fn clear(
    tx: &mut Tx,
    service: &str,
    job: &str,
    alarmed: bool,
) -> Result<(), StoreError> {
    if alarmed {
        alert::clear(tx, &schema(service), Kind::JobGivenUp, job).await?;
        set(tx, job, false).await?;
    }
    Ok(())
}

async fn set(tx: &mut Tx, job: &str, alarmed: bool) -> Result<(), StoreError> {
    sqlx::query("UPDATE jobs SET alarmed = $2 WHERE job = $1")
        .bind(job)
        .bind(alarmed)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
