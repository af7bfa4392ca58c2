//! Whom a message can reach: directory's facts.

use std::collections::BTreeMap;

use service::{StoreError, Tx};
use types::WorkerId;
use uuid::Uuid;

/// Keeps what a fact says of a worker, unless a newer one is known.
pub(crate) async fn keep(
    tx: &mut Tx,
    worker: WorkerId,
    bound: bool,
    version: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO notification.workers AS w (worker_id, bound, version) VALUES ($1, $2, $3)
         ON CONFLICT (worker_id) DO UPDATE SET bound = EXCLUDED.bound, version = EXCLUDED.version
         WHERE w.version < EXCLUDED.version",
        worker.as_uuid(),
        bound,
        version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Which of these workers are bound; who no fact has come about is left out.
pub(crate) async fn bound(
    tx: &mut Tx,
    workers: &[WorkerId],
) -> Result<BTreeMap<WorkerId, bool>, StoreError> {
    let workers: Vec<Uuid> = workers.iter().map(|worker| worker.as_uuid()).collect();
    let rows = sqlx::query!(
        "SELECT worker_id, bound FROM notification.workers WHERE worker_id = ANY ($1)",
        &workers,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (WorkerId::from_uuid(row.worker_id), row.bound)).collect())
}
