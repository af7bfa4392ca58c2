//! Who opened which day of a task.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{DailyTicketId, SiteId, WorkerId};

/// Keeps the first time; `false` when it was kept before.
pub(crate) async fn mark(
    tx: &mut Tx,
    site: SiteId,
    day: DailyTicketId,
    worker: WorkerId,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let marked = sqlx::query!(
        "INSERT INTO notification.task_reads (daily_ticket_id, worker_id, site_id, read_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (daily_ticket_id, worker_id) DO NOTHING",
        day.as_uuid(),
        worker.as_uuid(),
        site.as_uuid(),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(marked.rows_affected() == 1)
}
