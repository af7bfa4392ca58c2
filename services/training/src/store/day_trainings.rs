//! One worker's training of one day: numbers the facts about it and remembers that it is complete.

use types::{DailyTicketId, SiteId, WorkerId};

use super::{Error, Tx, version};
use crate::domain::Completion;

/// Draws the version of the next fact. The row stays locked until the transaction ends, so facts keep their order.
pub async fn next_version(
    tx: &mut Tx,
    site: SiteId,
    day: DailyTicketId,
    worker: WorkerId,
) -> Result<u64, Error> {
    let number = sqlx::query_scalar!(
        "INSERT INTO training.day_trainings (daily_ticket_id, worker_id, site_id, version) VALUES ($1, $2, $3, 1)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE SET version = day_trainings.version + 1
         RETURNING version",
        day.as_uuid(),
        worker.as_uuid(),
        site.as_uuid(),
    )
    .fetch_one(&mut **tx)
    .await?;
    version("day_trainings", day.as_uuid(), number)
}

/// Remembers that the day is complete; `false` when it was before. The first time stays.
pub async fn complete(
    tx: &mut Tx,
    day: DailyTicketId,
    worker: WorkerId,
    completion: Completion,
) -> Result<bool, Error> {
    let updated = sqlx::query!(
        "UPDATE training.day_trainings SET completed_at = $3, deadline_at = $4, in_time = $5
         WHERE daily_ticket_id = $1 AND worker_id = $2 AND completed_at IS NULL",
        day.as_uuid(),
        worker.as_uuid(),
        completion.at,
        completion.deadline_at,
        completion.in_time,
    )
    .execute(&mut **tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}

pub async fn completion(
    tx: &mut Tx,
    day: DailyTicketId,
    worker: WorkerId,
) -> Result<Option<Completion>, Error> {
    let row = sqlx::query!(
        "SELECT completed_at, deadline_at, in_time FROM training.day_trainings
         WHERE daily_ticket_id = $1 AND worker_id = $2",
        day.as_uuid(),
        worker.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    match (row.completed_at, row.deadline_at, row.in_time) {
        (None, None, None) => Ok(None),
        (Some(at), Some(deadline_at), Some(in_time)) => {
            Ok(Some(Completion { at, deadline_at, in_time }))
        }
        _ => Err(Error::corrupt("day_trainings", day)),
    }
}

/// The site of a worker's training of a day, and the version of the last fact about it.
pub async fn numbered(
    tx: &mut Tx,
    day: DailyTicketId,
    worker: WorkerId,
) -> Result<Option<(SiteId, u64)>, Error> {
    let row = sqlx::query!(
        "SELECT site_id, version FROM training.day_trainings WHERE daily_ticket_id = $1 AND worker_id = $2",
        day.as_uuid(),
        worker.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((row.site_id.into(), version("day_trainings", day.as_uuid(), row.version)?)))
}
