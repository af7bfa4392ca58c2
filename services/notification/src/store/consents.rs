//! The balance of consents, by worker and template. A row stays locked until the transaction ends.

use service::{StoreError, Tx};
use types::WorkerId;

/// Adds consents and answers the balance; adding none reads it.
pub(crate) async fn add(
    tx: &mut Tx,
    worker: WorkerId,
    template: &str,
    count: u32,
) -> Result<u32, StoreError> {
    let count = i32::try_from(count).map_err(|_| StoreError::corrupt("consents", worker))?;
    let balance = sqlx::query_scalar!(
        "INSERT INTO notification.consents AS c (worker_id, template, balance) VALUES ($1, $2, $3)
         ON CONFLICT (worker_id, template) DO UPDATE SET balance = c.balance + EXCLUDED.balance
         RETURNING balance",
        worker.as_uuid(),
        template,
        count,
    )
    .fetch_one(&mut **tx)
    .await?;
    u32::try_from(balance).map_err(|_| StoreError::corrupt("consents", worker))
}

/// Spends one; `false` when there is none.
pub(crate) async fn spend(
    tx: &mut Tx,
    worker: WorkerId,
    template: &str,
) -> Result<bool, StoreError> {
    let spent = sqlx::query!(
        "UPDATE notification.consents SET balance = balance - 1
         WHERE worker_id = $1 AND template = $2 AND balance > 0",
        worker.as_uuid(),
        template,
    )
    .execute(&mut **tx)
    .await?;
    Ok(spent.rows_affected() == 1)
}

/// Forgets all: the provider says there is none.
pub(crate) async fn clear(tx: &mut Tx, worker: WorkerId, template: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE notification.consents SET balance = 0 WHERE worker_id = $1 AND template = $2",
        worker.as_uuid(),
        template,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
