use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{DailyTicketId, SiteId, WorkerId};

use super::{signed, uuids};
use crate::domain::Training;

/// A worker's day, completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    pub day: DailyTicketId,
    pub worker: WorkerId,
    pub site: SiteId,
    pub completed_at: DateTime<Utc>,
    pub in_time: bool,
    pub version: u64,
}

/// Keeps the newest; older and repeated ones change nothing.
pub async fn keep(tx: &mut Tx, completion: &Completion) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO access_grant.completions AS held
         (daily_ticket_id, worker_id, site_id, completed_at, in_time, version) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE
         SET completed_at = excluded.completed_at, in_time = excluded.in_time, version = excluded.version
         WHERE held.version < excluded.version",
        completion.day.as_uuid(),
        completion.worker.as_uuid(),
        completion.site.as_uuid(),
        completion.completed_at,
        completion.in_time,
        signed(completion.version),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lets a late one in by hand.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    pub day: DailyTicketId,
    pub worker: WorkerId,
    pub site: SiteId,
    pub by: &'a str,
    pub reason: &'a str,
    pub at: DateTime<Utc>,
}

/// Keeps a release; a second one changes nothing and answers `false`.
pub async fn release(tx: &mut Tx, release: Release<'_>) -> Result<bool, StoreError> {
    let inserted = sqlx::query!(
        "INSERT INTO access_grant.releases (daily_ticket_id, worker_id, site_id, released_by, reason, released_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        release.day.as_uuid(),
        release.worker.as_uuid(),
        release.site.as_uuid(),
        release.by,
        release.reason,
        release.at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// The completed trainings of some days, of one worker or of all; as they were at `as_of`, or all that are known.
pub async fn of_days(
    tx: &mut Tx,
    days: &[DailyTicketId],
    worker: Option<WorkerId>,
    as_of: Option<DateTime<Utc>>,
) -> Result<BTreeMap<DailyTicketId, Vec<Training>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT c.daily_ticket_id, c.worker_id, c.completed_at, c.in_time,
                  coalesce(r.released_at <= coalesce($3, r.released_at), false) AS "released!"
           FROM access_grant.completions c
           LEFT JOIN access_grant.releases r USING (daily_ticket_id, worker_id)
           WHERE c.daily_ticket_id = ANY($1) AND ($2::uuid IS NULL OR c.worker_id = $2) AND ($3::timestamptz IS NULL OR c.completed_at <= $3)"#,
        &uuids(days),
        worker.map(WorkerId::as_uuid),
        as_of,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut trainings: BTreeMap<DailyTicketId, Vec<Training>> = BTreeMap::new();
    for row in rows {
        trainings.entry(row.daily_ticket_id.into()).or_default().push(Training {
            worker: row.worker_id.into(),
            completed_at: row.completed_at,
            in_time: row.in_time,
            released: row.released,
        });
    }
    Ok(trainings)
}
