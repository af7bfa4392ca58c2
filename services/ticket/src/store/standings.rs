//! What others told of the workers of a ticket, as far as it decides what a change brings.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{DailyTicketId, TicketId, VideoId};

use super::progress::WorkerDay;
use crate::domain::Standings;

/// Keeps that one who finished late was let in by hand; the last time counts.
pub async fn keep_release(
    tx: &mut Tx,
    of: WorkerDay,
    released_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO ticket.releases AS r (daily_ticket_id, worker_id, site_id, released_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (daily_ticket_id, worker_id) DO UPDATE SET released_at = EXCLUDED.released_at
         WHERE r.released_at < EXCLUDED.released_at",
        of.day.as_uuid(),
        of.worker.as_uuid(),
        of.site.as_uuid(),
        released_at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Who completed which day, and what doors they have been given; of days that can still change also who watched what
/// and who was let in by hand.
pub async fn of_ticket(tx: &mut Tx, ticket: TicketId) -> Result<Standings, StoreError> {
    let mut standings = Standings::new();
    let completions = sqlx::query!(
        "SELECT c.daily_ticket_id, c.worker_id, c.completed_at, c.in_time
         FROM ticket.completions c JOIN ticket.daily_tickets t ON t.daily_ticket_id = c.daily_ticket_id
         WHERE t.ticket_id = $1",
        ticket.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in completions {
        let key = (DailyTicketId::from_uuid(row.daily_ticket_id), row.worker_id.into());
        standings.entry(key).or_default().completed = Some((row.completed_at, row.in_time));
    }
    let grants = sqlx::query!(
        "SELECT g.daily_ticket_id, g.worker_id, g.area_id
         FROM ticket.grants g JOIN ticket.daily_tickets t ON t.daily_ticket_id = g.daily_ticket_id
         WHERE t.ticket_id = $1 AND g.status <> 'REVOKED'",
        ticket.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in grants {
        let key = (DailyTicketId::from_uuid(row.daily_ticket_id), row.worker_id.into());
        standings.entry(key).or_default().held.insert(row.area_id.into());
    }
    let watched = sqlx::query!(
        r#"SELECT d.daily_ticket_id, d.worker_id, d.completed_videos, d.watched_at AS "watched_at: Vec<Option<DateTime<Utc>>>"
           FROM ticket.worker_days d JOIN ticket.daily_tickets t ON t.daily_ticket_id = d.daily_ticket_id
           WHERE t.ticket_id = $1 AND t.expired_at IS NULL AND t.cancelled_at IS NULL AND d.completed_videos <> '{}'"#,
        ticket.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in watched {
        let key = (DailyTicketId::from_uuid(row.daily_ticket_id), row.worker_id.into());
        let videos = row.completed_videos.into_iter().map(VideoId::from_uuid);
        let times = row.watched_at.into_iter().chain(std::iter::repeat(None));
        standings.entry(key).or_default().watched.extend(videos.zip(times));
    }
    // access-grant's rule: a release is of what had been watched by then.
    let released = sqlx::query!(
        "SELECT r.daily_ticket_id, r.worker_id
         FROM ticket.releases r JOIN ticket.daily_tickets t ON t.daily_ticket_id = r.daily_ticket_id
         LEFT JOIN ticket.worker_days d ON d.daily_ticket_id = r.daily_ticket_id AND d.worker_id = r.worker_id
         WHERE t.ticket_id = $1 AND (d.reopened_at IS NULL OR d.reopened_at < r.released_at)",
        ticket.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in released {
        let key = (DailyTicketId::from_uuid(row.daily_ticket_id), row.worker_id.into());
        standings.entry(key).or_default().released = true;
    }
    Ok(standings)
}
