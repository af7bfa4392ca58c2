//! What is known of others when a ticket is judged: when its days were complete, how long its videos take, and which other
//! tickets name its workers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use service::{StoreError, Tx};
use types::{ContractorId, SiteId, TicketId, VideoId, WorkerId};
use uuid::Uuid;

use super::progress::WorkerDay;
use crate::domain::Ticket;

/// More tickets than that in one's way are not told one by one.
const MOST_OVERLAPS: i64 = 500;

/// Keeps when a day's training was complete, unless a newer fact is known.
pub async fn keep_completion(
    tx: &mut Tx,
    of: WorkerDay,
    completed_at: DateTime<Utc>,
    in_time: bool,
    version: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO ticket.completions AS c (daily_ticket_id, worker_id, site_id, completed_at, in_time, version)
         SELECT $1, $2, $3, $4, $5, $6
         WHERE NOT EXISTS (SELECT FROM ticket.worker_days d WHERE d.daily_ticket_id = $1 AND d.worker_id = $2
                           AND d.reopened_version > $6)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE
         SET completed_at = EXCLUDED.completed_at, in_time = EXCLUDED.in_time, version = EXCLUDED.version
         WHERE c.version < EXCLUDED.version",
        of.day.as_uuid(),
        of.worker.as_uuid(),
        of.site.as_uuid(),
        completed_at,
        in_time,
        version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Forgets a completion that is older than the fact that reopened it; the day begins anew.
pub async fn reopen(
    tx: &mut Tx,
    of: WorkerDay,
    at: DateTime<Utc>,
    version: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM ticket.completions WHERE daily_ticket_id = $1 AND worker_id = $2 AND version < $3",
        of.day.as_uuid(),
        of.worker.as_uuid(),
        version,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO ticket.worker_days AS d
             (daily_ticket_id, worker_id, site_id, training_version, reopened_version, reopened_at)
         VALUES ($1, $2, $3, $4, $4, $5)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE
         SET training_status = CASE WHEN d.training_version < $4 THEN 'NOT_STARTED' ELSE d.training_status END,
             training_version = greatest(d.training_version, $4), reopened_version = $4, reopened_at = $5
         WHERE d.reopened_version < $4",
        of.day.as_uuid(),
        of.worker.as_uuid(),
        of.site.as_uuid(),
        version,
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps how long a video takes, unless a newer version is known.
pub async fn keep_video(
    tx: &mut Tx,
    site: SiteId,
    video: VideoId,
    duration_sec: u32,
    version: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO ticket.videos AS v (video_id, site_id, duration_sec, version) VALUES ($1, $2, $3, $4)
         ON CONFLICT (video_id) DO UPDATE SET duration_sec = EXCLUDED.duration_sec, version = EXCLUDED.version
         WHERE v.version < EXCLUDED.version",
        video.as_uuid(),
        site.as_uuid(),
        i32::try_from(duration_sec).unwrap_or(i32::MAX),
        version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Those of `workers` of whom it is known that no mini-program user is bound to them.
pub async fn unbound(tx: &mut Tx, workers: &[WorkerId]) -> Result<BTreeSet<WorkerId>, StoreError> {
    let workers: Vec<Uuid> = workers.iter().map(|worker| worker.as_uuid()).collect();
    let ids = sqlx::query_scalar!(
        "SELECT worker_id FROM ticket.worker_bindings WHERE worker_id = ANY ($1) AND NOT bound",
        &workers,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids.into_iter().map(WorkerId::from_uuid).collect())
}

/// How long these videos take, where that is known.
pub async fn durations(
    tx: &mut Tx,
    videos: &[VideoId],
) -> Result<BTreeMap<VideoId, u32>, StoreError> {
    let ids: Vec<Uuid> = videos.iter().map(|video| video.as_uuid()).collect();
    let rows = sqlx::query!(
        "SELECT video_id, duration_sec FROM ticket.videos WHERE video_id = ANY ($1)",
        &ids,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let seconds = u32::try_from(row.duration_sec);
            let corrupt = |_| StoreError::corrupt("videos", row.video_id);
            Ok((row.video_id.into(), seconds.map_err(corrupt)?))
        })
        .collect()
}

/// Another ticket in a worker's way on one of our dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    pub worker: WorkerId,
    pub date: NaiveDate,
    pub ticket: TicketId,
    pub site: SiteId,
    pub contractor: ContractorId,
}

/// Other published tickets that name a worker of this one for another area, on the same date or at the same time,
/// among what the transaction's scope lets be seen; those of the first dates where there are too many. The workers'
/// other tickets are found once; which of them are in the way is looked for date by date, so that a site on which
/// everybody is named everywhere costs no more than the first of them. A window is at most a day long and zones differ by
/// at most another: two dates away none is in the way.
pub async fn overlaps(
    tx: &mut Tx,
    ticket: &Ticket,
    now: DateTime<Utc>,
) -> Result<Vec<Overlap>, StoreError> {
    let open: Vec<_> = ticket.days.iter().filter(|day| !day.is_done(now)).collect();
    let workers: Vec<Uuid> = ticket.workers.iter().map(|worker| worker.as_uuid()).collect();
    let areas: Vec<Uuid> = ticket.areas.iter().map(|area| area.as_uuid()).collect();
    // OFFSET 0 keeps the looks for tickets and their days looks by an index, for which the planner, which cannot know how
    // many there are, may read them all.
    let rows = sqlx::query!(
        r#"WITH named AS MATERIALIZED (
               SELECT w.worker_id, w.ticket_id FROM ticket.ticket_workers w
               WHERE w.worker_id = ANY ($4) AND w.ticket_id <> $5),
           other AS MATERIALIZED (
               SELECT t.*
               FROM (SELECT DISTINCT ticket_id FROM named) AS named
               CROSS JOIN LATERAL (
                   SELECT t.ticket_id, t.site_id, t.contractor_id FROM ticket.work_tickets t
                   WHERE t.ticket_id = named.ticket_id
                     AND t.start_date <= (SELECT max(day) + 2 FROM UNNEST($1::date[]) AS day)
                     AND t.end_date >= (SELECT min(day) - 2 FROM UNNEST($1::date[]) AS day)
                     AND EXISTS (SELECT FROM ticket.ticket_areas a
                                 WHERE a.ticket_id = t.ticket_id AND a.area_id <> ALL ($7))
                   OFFSET 0) AS t),
           near AS MATERIALIZED (
               SELECT named.worker_id, other.* FROM other JOIN named ON named.ticket_id = other.ticket_id)
           SELECT own.date AS "date!", met.worker_id AS "worker_id!", met.ticket_id AS "ticket_id!",
               met.site_id AS "site_id!", met.contractor_id AS "contractor_id!"
           FROM (SELECT * FROM UNNEST($1::date[], $2::timestamptz[], $3::timestamptz[]) AS own (date, start_at, end_at)
                 ORDER BY own.date) AS own
           CROSS JOIN LATERAL (
               SELECT near.worker_id, near.ticket_id, near.site_id, near.contractor_id
               FROM near JOIN other ON other.ticket_id = near.ticket_id
               WHERE EXISTS (
                   SELECT FROM ticket.daily_tickets d
                   WHERE d.ticket_id = other.ticket_id AND d.date BETWEEN own.date - 2 AND own.date + 2
                     AND (d.date = own.date OR (d.access_start_at < own.end_at AND own.start_at < d.access_end_at))
                     AND d.published_at IS NOT NULL AND d.cancelled_at IS NULL AND d.expired_at IS NULL
                     AND d.expires_at > $6
                   OFFSET 0)
               ORDER BY near.worker_id, near.ticket_id) AS met
           LIMIT $8"#,
        &open.iter().map(|day| day.date).collect::<Vec<_>>(),
        &open.iter().map(|day| day.window.start).collect::<Vec<_>>(),
        &open.iter().map(|day| day.window.end).collect::<Vec<_>>(),
        &workers,
        ticket.id.as_uuid(),
        now,
        &areas,
        MOST_OVERLAPS,
    )
    .fetch_all(&mut **tx)
    .await?;
    let overlaps = rows.into_iter().map(|row| Overlap {
        worker: row.worker_id.into(),
        date: row.date,
        ticket: row.ticket_id.into(),
        site: row.site_id.into(),
        contractor: row.contractor_id.into(),
    });
    Ok(overlaps.collect())
}
