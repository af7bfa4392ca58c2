//! Read copies of what others told about a worker's day. Each upsert may come before the day, twice or late.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AreaId, DailyTicketId, GrantId, SiteId, TicketId, WorkerId};
use uuid::Uuid;

use crate::domain::{
    AccessCounts, Grant, GrantStatus, TrainingCounts, TrainingStatus, WorkerProgress,
};

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
        "INSERT INTO ticket.worker_days AS d (daily_ticket_id, worker_id, site_id, training_status, training_version)
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

/// Each worker of a ticket on one of its days, in the ticket's order; `only` one of them if given.
pub async fn of_day(
    tx: &mut Tx,
    ticket: TicketId,
    day: DailyTicketId,
    only: Option<WorkerId>,
) -> Result<Vec<WorkerProgress>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT w.worker_id, coalesce(b.bound, false) AS "bound!",
                  coalesce(d.training_status, 'NOT_STARTED') AS "training!",
                  d.notified_at IS NOT NULL AS "notified!", d.read_at IS NOT NULL AS "read!"
           FROM ticket.ticket_workers w
           LEFT JOIN ticket.worker_days d ON d.daily_ticket_id = $2 AND d.worker_id = w.worker_id
           LEFT JOIN ticket.worker_bindings b ON b.worker_id = w.worker_id
           WHERE w.ticket_id = $1 AND ($3::uuid IS NULL OR w.worker_id = $3)
           ORDER BY w.position"#,
        ticket.as_uuid(),
        day.as_uuid(),
        only.map(WorkerId::as_uuid),
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut grants = grants_of(tx, day, only).await?;
    rows.into_iter()
        .map(|row| {
            let corrupt = |_| StoreError::corrupt("worker_days", row.worker_id);
            Ok(WorkerProgress {
                worker: WorkerId::from_uuid(row.worker_id),
                bound: row.bound,
                training: row.training.parse().map_err(corrupt)?,
                notified: row.notified,
                read: row.read,
                grants: grants.remove(&row.worker_id).unwrap_or_default(),
            })
        })
        .collect()
}

async fn grants_of(
    tx: &mut Tx,
    day: DailyTicketId,
    only: Option<WorkerId>,
) -> Result<BTreeMap<Uuid, Vec<Grant>>, StoreError> {
    let rows = sqlx::query!(
        "SELECT grant_id, worker_id, area_id, status, authorized, authorized_at, revoked_at FROM ticket.grants
         WHERE daily_ticket_id = $1 AND ($2::uuid IS NULL OR worker_id = $2)
         ORDER BY worker_id, grant_id",
        day.as_uuid(),
        only.map(WorkerId::as_uuid),
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut grants: BTreeMap<Uuid, Vec<Grant>> = BTreeMap::new();
    for row in rows {
        grants.entry(row.worker_id).or_default().push(Grant {
            id: GrantId::from_uuid(row.grant_id),
            area: AreaId::from_uuid(row.area_id),
            status: grant_status(row.grant_id, &row.status)?,
            said: row.authorized_at.zip(row.authorized),
            revoked_at: row.revoked_at,
        });
    }
    Ok(grants)
}

/// The counts of each day of a ticket. Every worker of the ticket counts on every day.
pub async fn counts(
    tx: &mut Tx,
    ticket: TicketId,
) -> Result<BTreeMap<DailyTicketId, (TrainingCounts, AccessCounts)>, StoreError> {
    let mut counts: BTreeMap<DailyTicketId, (TrainingCounts, AccessCounts)> = BTreeMap::new();
    let trainings = sqlx::query!(
        r#"SELECT t.daily_ticket_id, coalesce(d.training_status, 'NOT_STARTED') AS "status!",
                  count(*) AS "workers!"
           FROM ticket.daily_tickets t
           JOIN ticket.ticket_workers w ON w.ticket_id = t.ticket_id
           LEFT JOIN ticket.worker_days d ON d.daily_ticket_id = t.daily_ticket_id AND d.worker_id = w.worker_id
           WHERE t.ticket_id = $1 GROUP BY 1, 2"#,
        ticket.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in trainings {
        let corrupt = |_| StoreError::corrupt("worker_days", row.daily_ticket_id);
        let status = row.status.parse().map_err(corrupt)?;
        let (training, _) = counts.entry(row.daily_ticket_id.into()).or_default();
        training.count(status, u32::try_from(row.workers).unwrap_or(u32::MAX));
    }
    let grants = sqlx::query!(
        r#"SELECT g.daily_ticket_id, g.status, count(*) AS "grants!"
           FROM ticket.daily_tickets t JOIN ticket.grants g ON g.daily_ticket_id = t.daily_ticket_id
           WHERE t.ticket_id = $1 GROUP BY 1, 2"#,
        ticket.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in grants {
        let status = grant_status(row.daily_ticket_id, &row.status)?;
        let (_, access) = counts.entry(row.daily_ticket_id.into()).or_default();
        access.count(status, u32::try_from(row.grants).unwrap_or(u32::MAX));
    }
    Ok(counts)
}

fn grant_status(id: Uuid, text: &str) -> Result<GrantStatus, StoreError> {
    text.parse().map_err(|_| StoreError::corrupt("grants", id))
}
