//! Which workers are bound to a mini-program user: directory's facts.

use service::{StoreError, Tx};
use types::WorkerId;
use uuid::Uuid;

/// Keeps what a fact says of a worker, unless a newer one is known. Whether it is the newest.
pub async fn keep(
    tx: &mut Tx,
    worker: WorkerId,
    bound: bool,
    version: i64,
) -> Result<bool, StoreError> {
    let kept = sqlx::query!(
        "INSERT INTO ticket.worker_bindings AS b (worker_id, bound, version) VALUES ($1, $2, $3)
         ON CONFLICT (worker_id) DO UPDATE SET bound = EXCLUDED.bound, version = EXCLUDED.version
         WHERE b.version < EXCLUDED.version",
        worker.as_uuid(),
        bound,
        version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(kept.rows_affected() > 0)
}

/// Keeps what directory answered when a ticket was made, for workers no fact has come about yet.
pub async fn learn(
    tx: &mut Tx,
    workers: &[WorkerId],
    unbound: &[WorkerId],
) -> Result<(), StoreError> {
    let workers: Vec<Uuid> = workers.iter().map(|id| id.as_uuid()).collect();
    let unbound: Vec<Uuid> = unbound.iter().map(|id| id.as_uuid()).collect();
    sqlx::query!(
        "INSERT INTO ticket.worker_bindings AS b (worker_id, bound, version)
         SELECT id, NOT id = ANY ($2), 0 FROM UNNEST($1::uuid[]) AS named (id) ORDER BY id
         ON CONFLICT (worker_id) DO UPDATE SET bound = EXCLUDED.bound
         WHERE b.version = 0 AND b.bound <> EXCLUDED.bound",
        &workers,
        &unbound,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
