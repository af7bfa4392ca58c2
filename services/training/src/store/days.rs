//! The read copy of tickets and their days.

use chrono::{DateTime, NaiveDate, Utc};
use types::{ContractorId, DailyTicketId, SiteId, TicketId, VideoId, WorkerId};
use uuid::Uuid;

use super::{Error, Tx, long_column};
use crate::domain::{Day, VideoRule};

/// A ticket as a fact tells it.
#[derive(Debug)]
pub struct Ticket {
    pub id: TicketId,
    pub site: SiteId,
    pub contractor: ContractorId,
    pub version: u64,
    pub rule: VideoRule,
    pub workers: Vec<WorkerId>,
    pub videos: Vec<VideoId>,
    pub days: Vec<TicketDay>,
}

#[derive(Debug)]
pub struct TicketDay {
    pub id: DailyTicketId,
    pub date: NaiveDate,
    /// As ticket names it.
    pub status: String,
    pub deadline_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

struct Row {
    daily_ticket_id: Uuid,
    site_id: Uuid,
    contractor_id: Uuid,
    status: String,
    deadline_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    video_rule: String,
    worker_ids: Vec<Uuid>,
    video_ids: Vec<Uuid>,
}

/// Keeps a ticket unless the same or a newer version is known; answers whether it was news.
pub async fn keep(tx: &mut Tx, ticket: &Ticket) -> Result<bool, Error> {
    let workers: Vec<Uuid> = ticket.workers.iter().map(|worker| worker.as_uuid()).collect();
    let videos: Vec<Uuid> = ticket.videos.iter().map(|video| video.as_uuid()).collect();
    let kept = sqlx::query!(
        "INSERT INTO training.tickets (ticket_id, site_id, contractor_id, version, video_rule, worker_ids, video_ids)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (ticket_id) DO UPDATE SET version = excluded.version, video_rule = excluded.video_rule,
             worker_ids = excluded.worker_ids, video_ids = excluded.video_ids
         WHERE tickets.version < excluded.version",
        ticket.id.as_uuid(),
        ticket.site.as_uuid(),
        ticket.contractor.as_uuid(),
        long_column(ticket.version),
        ticket.rule.as_str(),
        &workers,
        &videos,
    )
    .execute(&mut **tx)
    .await?;
    if kept.rows_affected() == 0 {
        return Ok(false);
    }
    for day in &ticket.days {
        sqlx::query!(
            "INSERT INTO training.days (daily_ticket_id, ticket_id, site_id, date, status, deadline_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (daily_ticket_id) DO UPDATE SET date = excluded.date, status = excluded.status,
                 deadline_at = excluded.deadline_at, expires_at = excluded.expires_at",
            day.id.as_uuid(),
            ticket.id.as_uuid(),
            ticket.site.as_uuid(),
            day.date,
            day.status,
            day.deadline_at,
            day.expires_at,
        )
        .execute(&mut **tx)
        .await?;
    }
    // A day the ticket no longer has is as good as cancelled.
    let present: Vec<Uuid> = ticket.days.iter().map(|day| day.id.as_uuid()).collect();
    sqlx::query!(
        "UPDATE training.days SET status = 'CANCELLED' WHERE ticket_id = $1 AND daily_ticket_id <> ALL ($2)",
        ticket.id.as_uuid(),
        &present,
    )
    .execute(&mut **tx)
    .await?;
    Ok(true)
}

/// A day with its ticket's names, as it is now.
pub async fn get(tx: &mut Tx, day: DailyTicketId) -> Result<Option<Day>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT d.daily_ticket_id, d.site_id, t.contractor_id, d.status, d.deadline_at, d.expires_at, t.video_rule,
                t.worker_ids, t.video_ids
         FROM training.days d JOIN training.tickets t USING (ticket_id) WHERE d.daily_ticket_id = $1",
        day.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Day::try_from).transpose()
}

/// The same; it stays as it is until the transaction ends: closing it waits.
pub async fn hold(tx: &mut Tx, day: DailyTicketId) -> Result<Option<Day>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT d.daily_ticket_id, d.site_id, t.contractor_id, d.status, d.deadline_at, d.expires_at, t.video_rule,
                t.worker_ids, t.video_ids
         FROM training.days d JOIN training.tickets t USING (ticket_id)
         WHERE d.daily_ticket_id = $1 FOR SHARE OF d, t",
        day.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Day::try_from).transpose()
}

impl TryFrom<Row> for Day {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.daily_ticket_id.into(),
            site: row.site_id.into(),
            contractor: row.contractor_id.into(),
            in_progress: row.status == "IN_PROGRESS",
            deadline_at: row.deadline_at,
            expires_at: row.expires_at,
            rule: VideoRule::parse(&row.video_rule),
            workers: row.worker_ids.into_iter().map(WorkerId::from).collect(),
            videos: row.video_ids.into_iter().map(VideoId::from).collect(),
        })
    }
}
