//! One worker's training of one day: numbers the facts about it and remembers that it is complete.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use types::{DailyTicketId, SiteId, TicketId, VideoId, WorkerId};

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

/// Forgets that the day is complete; `false` when it was not.
pub async fn reopen(tx: &mut Tx, day: DailyTicketId, worker: WorkerId) -> Result<bool, Error> {
    let updated = sqlx::query!(
        "UPDATE training.day_trainings SET completed_at = NULL, deadline_at = NULL, in_time = NULL
         WHERE daily_ticket_id = $1 AND worker_id = $2 AND completed_at IS NOT NULL",
        day.as_uuid(),
        worker.as_uuid(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Who watched at least one video of a day: which ones, each when, and whether the day is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watching {
    pub day: DailyTicketId,
    pub worker: WorkerId,
    pub completed: BTreeMap<VideoId, DateTime<Utc>>,
    pub complete: bool,
}

/// On each day of a ticket that is not over.
pub async fn watching(tx: &mut Tx, ticket: TicketId) -> Result<Vec<Watching>, Error> {
    let rows = sqlx::query!(
        r#"SELECT r.daily_ticket_id, r.worker_id, r.video_id, r.ended_at,
                  coalesce(t.completed_at IS NOT NULL, false) AS "complete!"
           FROM training.days d
           JOIN training.records r ON r.daily_ticket_id = d.daily_ticket_id AND r.result = 'COMPLETED'
           LEFT JOIN training.day_trainings t
                ON t.daily_ticket_id = r.daily_ticket_id AND t.worker_id = r.worker_id
           WHERE d.ticket_id = $1 AND d.status NOT IN ('EXPIRED', 'CANCELLED')
           ORDER BY r.daily_ticket_id, r.worker_id"#,
        ticket.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut all: Vec<Watching> = Vec::new();
    for row in rows {
        let (day, worker) = (row.daily_ticket_id.into(), row.worker_id.into());
        let is_next = all.last().is_none_or(|last| (last.day, last.worker) != (day, worker));
        if is_next {
            let completed = BTreeMap::new();
            all.push(Watching { day, worker, completed, complete: row.complete });
        }
        if let Some(last) = all.last_mut() {
            last.completed.insert(row.video_id.into(), row.ended_at);
        }
    }
    Ok(all)
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
