//! Read copies of what others told about a worker's day. Each upsert may come before the day, twice or late.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AreaId, DailyTicketId, GrantId, Page, SiteId, VideoId, WorkerId};
use uuid::Uuid;

use super::rosters;
use crate::domain::{Grant, GrantStatus, Ticket, TrainingStatus, Wanted, WorkerProgress};

mod counts;

pub use counts::counts;

/// Whose day a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerDay {
    pub site: SiteId,
    pub day: DailyTicketId,
    pub worker: WorkerId,
}

/// Keeps how far a worker's training is, unless a newer fact is known. What was completed stays so: watching again
/// takes nothing away; only a reopening does.
pub async fn keep_training(
    tx: &mut Tx,
    of: WorkerDay,
    status: TrainingStatus,
    version: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO ticket.worker_days AS d
             (daily_ticket_id, worker_id, site_id, training_status, training_version)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE
         SET training_status = EXCLUDED.training_status,
             training_version = greatest(d.training_version, EXCLUDED.training_version)
         WHERE (EXCLUDED.training_status = 'COMPLETED' AND d.reopened_version < EXCLUDED.training_version)
            OR (d.training_status <> 'COMPLETED' AND d.training_version < EXCLUDED.training_version)",
        of.day.as_uuid(),
        of.worker.as_uuid(),
        of.site.as_uuid(),
        status.as_str(),
        version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps when a video of the day was watched to its end; told again it changes nothing.
pub async fn keep_video(
    tx: &mut Tx,
    of: WorkerDay,
    video: VideoId,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO ticket.worker_days AS d (daily_ticket_id, worker_id, site_id, completed_videos, watched_at)
         VALUES ($1, $2, $3, ARRAY[$4::uuid], ARRAY[$5::timestamptz])
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE
         SET completed_videos = d.completed_videos || EXCLUDED.completed_videos,
             watched_at[cardinality(d.completed_videos) + 1] = EXCLUDED.watched_at[1]
         WHERE NOT d.completed_videos @> EXCLUDED.completed_videos",
        of.day.as_uuid(),
        of.worker.as_uuid(),
        of.site.as_uuid(),
        video.as_uuid(),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps that a notice reached the provider; the first time counts.
pub async fn keep_notified(
    tx: &mut Tx,
    of: WorkerDay,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO ticket.worker_days AS d (daily_ticket_id, worker_id, site_id, notified_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE
         SET notified_at = least(d.notified_at, EXCLUDED.notified_at)",
        of.day.as_uuid(),
        of.worker.as_uuid(),
        of.site.as_uuid(),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps that the worker opened the task; the first time counts.
pub async fn keep_read(tx: &mut Tx, of: WorkerDay, at: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO ticket.worker_days AS d (daily_ticket_id, worker_id, site_id, read_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE
         SET read_at = least(d.read_at, EXCLUDED.read_at)",
        of.day.as_uuid(),
        of.worker.as_uuid(),
        of.site.as_uuid(),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps a grant as it now is, unless a newer fact about it is known. `said` is what a proof says about the whole
/// worker-day; other facts leave what the last proof said.
pub async fn keep_grant(
    tx: &mut Tx,
    of: WorkerDay,
    grant: &Grant,
    version: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO ticket.grants AS g
             (grant_id, site_id, daily_ticket_id, worker_id, area_id, status, version, authorized, authorized_at,
              revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (grant_id) DO UPDATE
         SET status = EXCLUDED.status, version = EXCLUDED.version, revoked_at = EXCLUDED.revoked_at,
             authorized = coalesce(EXCLUDED.authorized, g.authorized),
             authorized_at = coalesce(EXCLUDED.authorized_at, g.authorized_at)
         WHERE g.version < EXCLUDED.version",
        grant.id.as_uuid(),
        of.site.as_uuid(),
        of.day.as_uuid(),
        of.worker.as_uuid(),
        grant.area.as_uuid(),
        grant.status.as_str(),
        version,
        grant.said.map(|(_, authorized)| authorized),
        grant.said.map(|(at, _)| at),
        grant.revoked_at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Those of `workers`, whom a day names, that are asked for, in that order, and how many there are on all pages.
pub async fn of_day(
    tx: &mut Tx,
    day: DailyTicketId,
    workers: &[WorkerId],
    wanted: Wanted,
) -> Result<(Vec<WorkerProgress>, u32), StoreError> {
    let named: Vec<Uuid> = workers.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"WITH found AS (
               SELECT w.worker_id, w.position, coalesce(d.training_status, 'NOT_STARTED') AS training,
                      d.notified_at IS NOT NULL AS notified, d.read_at IS NOT NULL AS read,
                      coalesce(d.completed_videos, '{}') AS completed_videos, c.completed_at
               FROM UNNEST($2::uuid[]) WITH ORDINALITY AS w (worker_id, position)
               LEFT JOIN ticket.worker_days d ON d.daily_ticket_id = $1 AND d.worker_id = w.worker_id
               LEFT JOIN ticket.completions c ON c.daily_ticket_id = $1 AND c.worker_id = w.worker_id
               WHERE $3::text IS NULL OR coalesce(d.training_status, 'NOT_STARTED') = $3)
           SELECT shown.worker_id AS "worker_id?", coalesce(b.bound, false) AS "bound!", shown.training AS "training?",
                  shown.notified AS "notified?", shown.read AS "read?", shown.completed_videos AS "completed_videos?",
                  shown.completed_at AS "completed_at?", counted.total AS "total!"
           FROM (SELECT count(*) AS total FROM found) AS counted
           LEFT JOIN (SELECT * FROM found ORDER BY position LIMIT $4 OFFSET $5) AS shown ON true
           LEFT JOIN ticket.worker_bindings b ON b.worker_id = shown.worker_id
           ORDER BY shown.position"#,
        day.as_uuid(),
        &named,
        wanted.training.map(TrainingStatus::as_str),
        wanted.page.limit(),
        wanted.page.offset(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let total = rows.first().map_or(0, |row| u32::try_from(row.total).unwrap_or(u32::MAX));
    let shown: Vec<Uuid> = rows.iter().filter_map(|row| row.worker_id).collect();
    let mut grants = grants_of(tx, &[day.as_uuid()], &shown).await?;
    let mut workers = Vec::with_capacity(shown.len());
    for row in rows {
        // A page beyond the last holds nobody.
        let Some(worker) = row.worker_id else { continue };
        workers.push(WorkerProgress {
            day,
            worker: WorkerId::from_uuid(worker),
            bound: row.bound,
            training: training_status(worker, row.training.as_deref())?,
            notified: row.notified.unwrap_or_default(),
            read: row.read.unwrap_or_default(),
            completed_videos: videos(row.completed_videos),
            completed_at: row.completed_at,
            grants: grants.remove(&(day.as_uuid(), worker)).unwrap_or_default(),
        });
    }
    Ok((workers, total))
}

/// One page of everybody a ticket names or named on a day that is over, each with their days by date, and how many there
/// are on all pages.
pub async fn of_ticket(
    tx: &mut Tx,
    ticket: &Ticket,
    page: Page,
) -> Result<(Vec<Vec<WorkerProgress>>, u32), StoreError> {
    let rosters = rosters::of_ticket(tx, ticket).await?;
    let everyone = rosters.everyone();
    let before = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    let shown: Vec<Uuid> = everyone.iter().skip(before).take(size).map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT w.worker_id AS "worker_id!", t.daily_ticket_id, coalesce(b.bound, false) AS "bound!",
                  d.training_status AS "training?",
                  d.notified_at IS NOT NULL AS "notified!", d.read_at IS NOT NULL AS "read!", c.completed_at AS "completed_at?"
           FROM UNNEST($2::uuid[]) WITH ORDINALITY AS w (worker_id, position)
           JOIN ticket.daily_tickets t ON t.ticket_id = $1
           LEFT JOIN ticket.worker_days d
               ON d.daily_ticket_id = t.daily_ticket_id AND d.worker_id = w.worker_id
           LEFT JOIN ticket.completions c
               ON c.daily_ticket_id = t.daily_ticket_id AND c.worker_id = w.worker_id
           LEFT JOIN ticket.worker_bindings b ON b.worker_id = w.worker_id
           ORDER BY w.position, t.date"#,
        ticket.id.as_uuid(),
        &shown,
    )
    .fetch_all(&mut **tx)
    .await?;
    let days: Vec<Uuid> = ticket.days.iter().map(|day| day.id.as_uuid()).collect();
    let mut grants = grants_of(tx, &days, &shown).await?;
    let mut workers: Vec<Vec<WorkerProgress>> = Vec::new();
    for row in rows {
        let (day, worker) = (row.daily_ticket_id.into(), WorkerId::from_uuid(row.worker_id));
        if !rosters.names(day, worker) {
            continue;
        }
        let progress = WorkerProgress {
            day,
            worker,
            bound: row.bound,
            training: training_status(row.worker_id, row.training.as_deref())?,
            notified: row.notified,
            read: row.read,
            completed_videos: Vec::new(),
            completed_at: row.completed_at,
            grants: grants.remove(&(row.daily_ticket_id, row.worker_id)).unwrap_or_default(),
        };
        match workers.last_mut().filter(|days| days.first().is_some_and(|day| day.worker == worker))
        {
            Some(days) => days.push(progress),
            None => workers.push(vec![progress]),
        }
    }
    Ok((workers, u32::try_from(everyone.len()).unwrap_or(u32::MAX)))
}

async fn grants_of(
    tx: &mut Tx,
    days: &[Uuid],
    workers: &[Uuid],
) -> Result<BTreeMap<(Uuid, Uuid), Vec<Grant>>, StoreError> {
    let rows = sqlx::query!(
        "SELECT grant_id, daily_ticket_id, worker_id, area_id, status, authorized, authorized_at, revoked_at
         FROM ticket.grants
         WHERE daily_ticket_id = ANY ($1) AND worker_id = ANY ($2)
         ORDER BY daily_ticket_id, worker_id, grant_id",
        days,
        workers,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut grants: BTreeMap<(Uuid, Uuid), Vec<Grant>> = BTreeMap::new();
    for row in rows {
        grants.entry((row.daily_ticket_id, row.worker_id)).or_default().push(Grant {
            id: GrantId::from_uuid(row.grant_id),
            area: AreaId::from_uuid(row.area_id),
            status: grant_status(row.grant_id, &row.status)?,
            said: row.authorized_at.zip(row.authorized),
            revoked_at: row.revoked_at,
        });
    }
    Ok(grants)
}

/// `of` is whose row it is.
fn training_status(of: Uuid, text: Option<&str>) -> Result<TrainingStatus, StoreError> {
    let Some(text) = text else { return Ok(TrainingStatus::NotStarted) };
    text.parse().map_err(|_| StoreError::corrupt("worker_days", of))
}

fn videos(ids: Option<Vec<Uuid>>) -> Vec<VideoId> {
    ids.unwrap_or_default().into_iter().map(VideoId::from_uuid).collect()
}

fn grant_status(id: Uuid, text: &str) -> Result<GrantStatus, StoreError> {
    text.parse().map_err(|_| StoreError::corrupt("grants", id))
}
