//! Who is named on which days, and what tickets say: ticket's facts.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use service::{StoreError, Tx};
use types::{AreaId, DailyTicketId, NotificationId, SiteId, TicketId, WorkerId};
use uuid::Uuid;

use super::Versioned;
use crate::domain::{Content, Notice, Skip, Task, Word};

/// A ticket as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: TicketId,
    pub(crate) site: SiteId,
    pub(crate) workers: Vec<WorkerId>,
    pub(crate) days: Vec<DailyTicketId>,
    /// None once no day is open.
    pub(crate) task: Option<Task>,
    pub(crate) version: i64,
}

struct Row {
    notification_id: Uuid,
    ticket_id: Uuid,
    named: bool,
    title: String,
    area_ids: Vec<Uuid>,
    video_count: i32,
    open_day_id: Option<Uuid>,
    open_date: Option<NaiveDate>,
    open_deadline_at: Option<DateTime<Utc>>,
    version: i64,
}

/// Keeps what a fact says of a ticket, unless the same or a newer one is known; answers whether it was news.
pub(crate) async fn keep(tx: &mut Tx, ticket: &Ticket) -> Result<bool, StoreError> {
    let workers: Vec<Uuid> = ticket.workers.iter().map(|worker| worker.as_uuid()).collect();
    let days: Vec<Uuid> = ticket.days.iter().map(|day| day.as_uuid()).collect();
    let content = ticket.task.as_ref().map(|task| &task.content);
    let areas = content.map_or(&[][..], |content| &content.areas);
    let areas: Vec<Uuid> = areas.iter().map(|area| area.as_uuid()).collect();
    let kept = sqlx::query!(
        "INSERT INTO notification.tickets AS t (ticket_id, site_id, worker_ids, day_ids, version, title, area_ids,
             video_count, open_day_id, open_date, open_deadline_at, terms_version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $5)
         ON CONFLICT (ticket_id) DO UPDATE
         SET worker_ids = EXCLUDED.worker_ids, day_ids = EXCLUDED.day_ids, version = EXCLUDED.version,
             title = EXCLUDED.title, area_ids = EXCLUDED.area_ids, video_count = EXCLUDED.video_count,
             open_day_id = EXCLUDED.open_day_id, open_date = EXCLUDED.open_date,
             open_deadline_at = EXCLUDED.open_deadline_at, terms_version = EXCLUDED.terms_version
         WHERE t.version < EXCLUDED.version",
        ticket.id.as_uuid(),
        ticket.site.as_uuid(),
        &workers,
        &days,
        ticket.version,
        content.map_or("", |content| &content.title),
        &areas,
        content.map_or(Ok(0), |content| i32::try_from(content.video_count)).unwrap_or(i32::MAX),
        ticket.task.as_ref().map(|task| task.day.as_uuid()),
        content.map(|content| content.date),
        content.map(|content| content.deadline_at),
    )
    .execute(&mut **tx)
    .await?;
    Ok(kept.rows_affected() == 1)
}

/// What is known that tickets say of their notices. A ticket is left out of which no fact has come since its terms are
/// kept.
pub(crate) async fn words(
    tx: &mut Tx,
    notices: &[Versioned<Notice>],
) -> Result<BTreeMap<NotificationId, Word>, StoreError> {
    let notices: Vec<Uuid> = notices.iter().map(|notice| notice.value.id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT n.notification_id, t.ticket_id, n.worker_id = ANY (t.worker_ids) AS "named!", t.title, t.area_ids,
             t.video_count, t.open_day_id, t.open_date, t.open_deadline_at, t.version
         FROM notification.notices n JOIN notification.tickets t USING (ticket_id)
         WHERE n.notification_id = ANY ($1) AND t.terms_version = t.version"#,
        &notices,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Row::word).collect()
}

impl Row {
    fn word(self) -> Result<(NotificationId, Word), StoreError> {
        let corrupt = || StoreError::corrupt("tickets", self.ticket_id);
        let task = match (self.open_day_id, self.open_date, self.open_deadline_at) {
            (None, None, None) => Err(Skip::DayClosed),
            _ if !self.named => Err(Skip::NotInTicket),
            (Some(day), Some(date), Some(deadline_at)) => Ok(Task {
                day: DailyTicketId::from_uuid(day),
                content: Content {
                    title: self.title,
                    date,
                    deadline_at,
                    areas: self.area_ids.into_iter().map(AreaId::from_uuid).collect(),
                    video_count: u32::try_from(self.video_count).map_err(|_| corrupt())?,
                },
            }),
            _ => return Err(corrupt()),
        };
        let version = u64::try_from(self.version).map_err(|_| corrupt())?;
        Ok((NotificationId::from_uuid(self.notification_id), Word { version, task }))
    }
}

/// The site of a day on which the worker is named.
pub(crate) async fn site_of(
    tx: &mut Tx,
    day: DailyTicketId,
    worker: WorkerId,
) -> Result<Option<SiteId>, StoreError> {
    let site = sqlx::query_scalar!(
        "SELECT site_id FROM notification.tickets WHERE day_ids @> ARRAY[$1::uuid] AND $2::uuid = ANY (worker_ids)",
        day.as_uuid(),
        worker.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(site.map(SiteId::from_uuid))
}
