//! Work tickets with their days; one aggregate, one version.

mod amend;
mod days;
mod due;
mod list;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use service::{StoreError, Tx};
use sqlx::types::Json;
use types::{
    AccountId, AreaId, ContractorId, DailyTicketId, SiteId, SiteZone, TicketId, TimeWindow,
    VideoId, WorkerId,
};
use uuid::Uuid;

use super::Versioned;
use crate::domain::{Cancellation, Deadline, Leads, Publication, State, Terms, Ticket};

pub use amend::amend;
pub use due::{Due, Turn, due};
pub use list::{list, newest_zone, worker_tickets};

const TABLE: &str = "work_tickets";

struct Row {
    ticket_id: Uuid,
    site_id: Uuid,
    contractor_id: Uuid,
    title: String,
    remark: String,
    start_date: NaiveDate,
    end_date: NaiveDate,
    access_start_time: NaiveTime,
    access_end_time: NaiveTime,
    deadline_time: NaiveTime,
    deadline_given: bool,
    night_deadline_minutes: i32,
    late_deadline_minutes: i32,
    time_zone: String,
    video_rule: String,
    publish_now: bool,
    daily_reminder: bool,
    created_by: Uuid,
    created_at: DateTime<Utc>,
    published_by: Option<Uuid>,
    published_at: Option<DateTime<Utc>>,
    cancelled_by: Option<Uuid>,
    cancelled_at: Option<DateTime<Utc>>,
    cancel_reason: Option<String>,
    version: i64,
    revision: i64,
    areas: Vec<Uuid>,
    workers: Vec<Uuid>,
    videos: Vec<Uuid>,
    days: Json<Vec<days::Row>>,
}

/// The ticket, as the transaction's scope lets it be seen.
pub async fn get(tx: &mut Tx, id: TicketId) -> Result<Option<Versioned<Ticket>>, StoreError> {
    Ok(get_many(tx, &[id]).await?.pop())
}

/// The ticket a day belongs to.
pub async fn get_by_day(
    tx: &mut Tx,
    day: DailyTicketId,
) -> Result<Option<Versioned<Ticket>>, StoreError> {
    let id = sqlx::query_scalar!(
        "SELECT ticket_id FROM ticket.daily_tickets WHERE daily_ticket_id = $1",
        day.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    match id {
        Some(id) => get(tx, id.into()).await,
        None => Ok(None),
    }
}

/// Those of `ids` that can be seen, in no order. One statement: two would see the ticket before and its days after
/// what someone else commits in between.
pub async fn get_many(tx: &mut Tx, ids: &[TicketId]) -> Result<Vec<Versioned<Ticket>>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT ticket_id, site_id, contractor_id, title, remark, start_date, end_date,
                  access_start_time, access_end_time, deadline_time, deadline_given, night_deadline_minutes,
                  late_deadline_minutes, time_zone, video_rule, publish_now, daily_reminder, created_by, created_at,
                  published_by, published_at, cancelled_by, cancelled_at, cancel_reason, version, revision,
                  ARRAY(SELECT a.area_id FROM ticket.ticket_areas a
                        WHERE a.ticket_id = t.ticket_id ORDER BY a.position) AS "areas!",
                  ARRAY(SELECT w.worker_id FROM ticket.ticket_workers w
                        WHERE w.ticket_id = t.ticket_id ORDER BY w.position) AS "workers!",
                  ARRAY(SELECT v.video_id FROM ticket.ticket_videos v
                        WHERE v.ticket_id = t.ticket_id ORDER BY v.position) AS "videos!",
                  (SELECT coalesce(jsonb_agg(d ORDER BY d.date), '[]') FROM ticket.daily_tickets d
                   WHERE d.ticket_id = t.ticket_id) AS "days!: Json<Vec<days::Row>>"
           FROM ticket.work_tickets t WHERE ticket_id = ANY ($1)"#,
        &ids,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(build).collect()
}

/// Writes a new ticket, with its days, at version 1.
pub async fn insert(tx: &mut Tx, ticket: &Ticket) -> Result<Versioned<Ticket>, StoreError> {
    let (published_by, published_at) = publication(ticket);
    let (deadline_time, deadline_given) = match ticket.terms.deadline {
        Deadline::Given(time) => (time, true),
        Deadline::SiteDefault(time) => (time, false),
    };
    sqlx::query!(
        "INSERT INTO ticket.work_tickets
             (ticket_id, site_id, contractor_id, title, remark, start_date, end_date, access_start_time,
              access_end_time, deadline_time, deadline_given, time_zone, video_rule, publish_now,
              daily_reminder, created_by, created_at, published_by, published_at, night_deadline_minutes,
              late_deadline_minutes, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, 1)",
        ticket.id.as_uuid(),
        ticket.site.as_uuid(),
        ticket.contractor.as_uuid(),
        ticket.title,
        ticket.remark,
        ticket.first_date,
        ticket.last_date,
        ticket.terms.window.start,
        ticket.terms.window.end,
        deadline_time,
        deadline_given,
        ticket.terms.zone.name(),
        ticket.terms.video_rule.as_str(),
        ticket.terms.publish_now,
        ticket.terms.daily_reminder,
        ticket.created_by.as_uuid(),
        ticket.created_at,
        published_by,
        published_at,
        minutes(ticket.terms.leads.before_night),
        minutes(ticket.terms.leads.after_publication),
    )
    .execute(&mut **tx)
    .await?;
    insert_lists(tx, ticket).await?;
    days::insert(tx, ticket).await?;
    Ok(Versioned { value: ticket.clone(), version: 1 })
}

fn minutes(lead: TimeDelta) -> i32 {
    i32::try_from(lead.num_minutes()).unwrap_or(i32::MAX)
}

/// Writes what `ticket` became, if it is still at the version it was read at, and moves it to the next.
///
/// # Errors
/// [`StoreError::Conflict`] when someone else changed it meanwhile.
pub async fn save(tx: &mut Tx, ticket: &mut Versioned<Ticket>) -> Result<(), StoreError> {
    let (published_by, published_at) = publication(&ticket.value);
    let cancellation = ticket.value.cancellation();
    let version = i64::try_from(ticket.version).map_err(|_| corrupt(ticket.value.id))?;
    let saved = sqlx::query!(
        "UPDATE ticket.work_tickets
         SET published_by = $3, published_at = $4, cancelled_by = $5, cancelled_at = $6, cancel_reason = $7,
             revision = $8, version = version + 1
         WHERE ticket_id = $1 AND version = $2",
        ticket.value.id.as_uuid(),
        version,
        published_by,
        published_at,
        cancellation.map(|cancellation| cancellation.by.as_uuid()),
        cancellation.map(|cancellation| cancellation.at),
        cancellation.map(|cancellation| cancellation.reason.as_str()),
        revision(&ticket.value)?,
    )
    .execute(&mut **tx)
    .await?;
    if saved.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    days::save(tx, &ticket.value).await?;
    ticket.version += 1;
    Ok(())
}

async fn insert_lists(tx: &mut Tx, ticket: &Ticket) -> Result<(), StoreError> {
    let areas: Vec<Uuid> = ticket.areas.iter().map(|id| id.as_uuid()).collect();
    let workers: Vec<Uuid> = ticket.workers.iter().map(|id| id.as_uuid()).collect();
    let videos: Vec<Uuid> = ticket.videos.iter().map(|id| id.as_uuid()).collect();
    sqlx::query!(
        "WITH areas AS (
             INSERT INTO ticket.ticket_areas (ticket_id, site_id, area_id, position)
             SELECT $1, $2, id, place FROM UNNEST($3::uuid[]) WITH ORDINALITY AS named (id, place)),
         workers AS (
             INSERT INTO ticket.ticket_workers (ticket_id, site_id, worker_id, position)
             SELECT $1, $2, id, place FROM UNNEST($4::uuid[]) WITH ORDINALITY AS named (id, place))
         INSERT INTO ticket.ticket_videos (ticket_id, site_id, video_id, position)
         SELECT $1, $2, id, place FROM UNNEST($5::uuid[]) WITH ORDINALITY AS named (id, place)",
        ticket.id.as_uuid(),
        ticket.site.as_uuid(),
        &areas,
        &workers,
        &videos,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn revision(ticket: &Ticket) -> Result<i64, StoreError> {
    i64::try_from(ticket.revision).map_err(|_| corrupt(ticket.id))
}

fn publication(ticket: &Ticket) -> (Option<Uuid>, Option<DateTime<Utc>>) {
    let publication = ticket.publication();
    (
        publication.map(|publication| publication.by.as_uuid()),
        publication.map(|publication| publication.at),
    )
}

fn build(row: Row) -> Result<Versioned<Ticket>, StoreError> {
    let published = match (row.published_by, row.published_at) {
        (None, None) => None,
        (Some(by), Some(at)) => Some(Publication { by: AccountId::from_uuid(by), at }),
        _ => return Err(corrupt(row.ticket_id)),
    };
    let state = match (published, row.cancelled_by, row.cancelled_at, row.cancel_reason) {
        (None, None, None, None) => State::Draft,
        (Some(publication), None, None, None) => State::Active(publication),
        (published, Some(by), Some(at), Some(reason)) => {
            let cancellation = Cancellation { by: AccountId::from_uuid(by), at, reason };
            State::Cancelled { published, cancellation }
        }
        _ => return Err(corrupt(row.ticket_id)),
    };
    let deadline = if row.deadline_given {
        Deadline::Given(row.deadline_time)
    } else {
        Deadline::SiteDefault(row.deadline_time)
    };
    let value = Ticket {
        id: TicketId::from_uuid(row.ticket_id),
        site: SiteId::from_uuid(row.site_id),
        contractor: ContractorId::from_uuid(row.contractor_id),
        title: row.title,
        remark: row.remark,
        first_date: row.start_date,
        last_date: row.end_date,
        terms: Terms {
            zone: SiteZone::parse(&row.time_zone).map_err(|_| corrupt(row.ticket_id))?,
            window: TimeWindow { start: row.access_start_time, end: row.access_end_time },
            deadline,
            leads: Leads {
                before_night: TimeDelta::minutes(row.night_deadline_minutes.into()),
                after_publication: TimeDelta::minutes(row.late_deadline_minutes.into()),
            },
            video_rule: row.video_rule.parse().map_err(|_| corrupt(row.ticket_id))?,
            publish_now: row.publish_now,
            daily_reminder: row.daily_reminder,
        },
        areas: row.areas.into_iter().map(AreaId::from_uuid).collect(),
        workers: row.workers.into_iter().map(WorkerId::from_uuid).collect(),
        videos: row.videos.into_iter().map(VideoId::from_uuid).collect(),
        days: row.days.0.into_iter().map(days::build).collect::<Result<_, _>>()?,
        created_by: AccountId::from_uuid(row.created_by),
        created_at: row.created_at,
        state,
        revision: u64::try_from(row.revision).map_err(|_| corrupt(row.ticket_id))?,
    };
    let version = u64::try_from(row.version).map_err(|_| corrupt(row.ticket_id))?;
    Ok(Versioned { value, version })
}

fn corrupt(id: impl std::fmt::Display) -> StoreError {
    StoreError::corrupt(TABLE, id)
}
