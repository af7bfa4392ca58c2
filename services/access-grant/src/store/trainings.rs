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

/// Keeps the newest; older and repeated ones change nothing. One that was reopened before stays for the past.
pub async fn keep(tx: &mut Tx, completion: &Completion) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO access_grant.past_completions
             (daily_ticket_id, worker_id, site_id, completed_at, in_time, reopened_at, version)
         SELECT daily_ticket_id, worker_id, site_id, completed_at, in_time, reopened_at, version
         FROM access_grant.completions
         WHERE daily_ticket_id = $1 AND worker_id = $2 AND version < $3 AND reopened_at IS NOT NULL
         ON CONFLICT DO NOTHING",
        completion.day.as_uuid(),
        completion.worker.as_uuid(),
        signed(completion.version),
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO access_grant.completions AS held
         (daily_ticket_id, worker_id, site_id, completed_at, in_time, version) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE
         SET completed_at = excluded.completed_at, in_time = excluded.in_time, version = excluded.version,
             reopened_at = NULL
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

/// A completed day whose ticket came to ask for more.
#[derive(Debug, Clone, Copy)]
pub struct Reopening {
    pub day: DailyTicketId,
    pub worker: WorkerId,
    pub site: SiteId,
    pub at: DateTime<Utc>,
    pub version: u64,
}

/// Keeps that a completion does not stand any more; one that comes after it, though told before, changes nothing.
pub async fn reopen(tx: &mut Tx, reopening: &Reopening) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO access_grant.completions AS held
         (daily_ticket_id, worker_id, site_id, completed_at, in_time, version, reopened_at)
         VALUES ($1, $2, $3, $4, false, $5, $4)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE
         SET reopened_at = coalesce(held.reopened_at, excluded.reopened_at), version = excluded.version
         WHERE held.version < excluded.version",
        reopening.day.as_uuid(),
        reopening.worker.as_uuid(),
        reopening.site.as_uuid(),
        reopening.at,
        signed(reopening.version),
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

/// Keeps a release; the same one again changes nothing and answers `false`.
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

/// The completed trainings of some days, of one worker or of all: those that stood at `as_of`, or all that are known,
/// reopened ones too. A release lets in who had finished by then: it ends with a reopening that comes after it.
pub async fn of_days(
    tx: &mut Tx,
    days: &[DailyTicketId],
    worker: Option<WorkerId>,
    as_of: Option<DateTime<Utc>>,
) -> Result<BTreeMap<DailyTicketId, Vec<Training>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT c.daily_ticket_id AS "daily_ticket_id!", c.worker_id AS "worker_id!",
                  c.completed_at AS "completed_at!", c.in_time AS "in_time!",
                  CASE WHEN r.released_at IS NULL THEN false
                       ELSE NOT EXISTS (SELECT FROM access_grant.past_completions p
                                        WHERE p.daily_ticket_id = c.daily_ticket_id AND p.worker_id = c.worker_id
                                          AND r.released_at <= p.reopened_at
                                          AND ($3::timestamptz IS NULL OR p.reopened_at <= $3))
                  END AS "released!",
                  ($3::timestamptz IS NULL AND c.reopened_at IS NOT NULL) AS "reopened!"
           FROM (SELECT daily_ticket_id, worker_id, completed_at, in_time, reopened_at FROM access_grant.completions
                 UNION ALL
                 SELECT daily_ticket_id, worker_id, completed_at, in_time, reopened_at
                 FROM access_grant.past_completions WHERE $3::timestamptz IS NOT NULL) c
           LEFT JOIN (SELECT daily_ticket_id, worker_id, max(released_at) AS released_at FROM access_grant.releases
                      WHERE daily_ticket_id = ANY($1) AND ($3::timestamptz IS NULL OR released_at <= $3)
                      GROUP BY daily_ticket_id, worker_id) r USING (daily_ticket_id, worker_id)
           WHERE c.daily_ticket_id = ANY($1) AND ($2::uuid IS NULL OR c.worker_id = $2)
             AND ($3::timestamptz IS NULL
                  OR (c.completed_at <= $3 AND (c.reopened_at IS NULL OR $3 < c.reopened_at)))"#,
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
            reopened: row.reopened,
        });
    }
    Ok(trainings)
}
