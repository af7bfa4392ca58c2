use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use service::{StoreError, Tx};
use types::{DailyTicketId, InstantWindow};
use uuid::Uuid;

use crate::domain::{DailyTicket, DayState, Ticket};

/// A row of `daily_tickets` as it comes within its ticket's.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    daily_ticket_id: Uuid,
    date: NaiveDate,
    access_start_at: DateTime<Utc>,
    access_end_at: DateTime<Utc>,
    deadline_at: DateTime<Utc>,
    starts_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    published_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    expired_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
    cancel_reason: Option<String>,
}

/// Writes the days that are new.
pub(super) async fn insert(tx: &mut Tx, ticket: &Ticket) -> Result<(), StoreError> {
    let columns = Columns::of(ticket);
    sqlx::query!(
        "INSERT INTO ticket.daily_tickets
             (daily_ticket_id, ticket_id, site_id, date, access_start_at, access_end_at, deadline_at, starts_at,
              expires_at, published_at, started_at, expired_at)
         SELECT id, $1, $2, date, access_start_at, access_end_at, deadline_at, starts_at, expires_at,
                published_at, started_at, expired_at
         FROM UNNEST($3::uuid[], $4::date[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
                     $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[],
                     $12::timestamptz[])
              AS day (id, date, access_start_at, access_end_at, deadline_at, starts_at, expires_at,
                      published_at, started_at, expired_at)
         ON CONFLICT (daily_ticket_id) DO NOTHING",
        ticket.id.as_uuid(),
        ticket.site.as_uuid(),
        &columns.ids,
        &ticket.days.iter().map(|day| day.date).collect::<Vec<_>>(),
        &ticket.days.iter().map(|day| day.window.start).collect::<Vec<_>>(),
        &ticket.days.iter().map(|day| day.window.end).collect::<Vec<_>>(),
        &columns.deadlines,
        &ticket.days.iter().map(|day| day.starts_at).collect::<Vec<_>>(),
        &ticket.days.iter().map(|day| day.expires_at).collect::<Vec<_>>(),
        &columns.published as &[Option<DateTime<Utc>>],
        &columns.started as &[Option<DateTime<Utc>>],
        &columns.expired as &[Option<DateTime<Utc>>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes the days as they now are: new ones, changed ones, and of a draft those that are gone. The ticket's version,
/// checked before, guards them too.
pub(super) async fn replace(tx: &mut Tx, ticket: &Ticket) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = ticket.days.iter().map(|day| day.id.as_uuid()).collect();
    sqlx::query!(
        "DELETE FROM ticket.daily_tickets WHERE ticket_id = $1 AND daily_ticket_id <> ALL ($2)",
        ticket.id.as_uuid(),
        &ids,
    )
    .execute(&mut **tx)
    .await?;
    insert(tx, ticket).await?;
    sqlx::query!(
        "UPDATE ticket.daily_tickets AS d
         SET access_start_at = new.access_start_at, access_end_at = new.access_end_at, starts_at = new.starts_at,
             expires_at = new.expires_at
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
              AS new (id, access_start_at, access_end_at, starts_at, expires_at)
         WHERE d.daily_ticket_id = new.id
           AND (d.access_start_at, d.access_end_at, d.starts_at, d.expires_at)
               IS DISTINCT FROM (new.access_start_at, new.access_end_at, new.starts_at, new.expires_at)",
        &ids,
        &ticket.days.iter().map(|day| day.window.start).collect::<Vec<_>>(),
        &ticket.days.iter().map(|day| day.window.end).collect::<Vec<_>>(),
        &ticket.days.iter().map(|day| day.starts_at).collect::<Vec<_>>(),
        &ticket.days.iter().map(|day| day.expires_at).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    save(tx, ticket).await
}

/// Only days that differ are written. The ticket's version, checked before, guards them too.
pub(super) async fn save(tx: &mut Tx, ticket: &Ticket) -> Result<(), StoreError> {
    let columns = Columns::of(ticket);
    sqlx::query!(
        "UPDATE ticket.daily_tickets AS d
         SET deadline_at = new.deadline_at, published_at = new.published_at, started_at = new.started_at,
             expired_at = new.expired_at, cancelled_at = new.cancelled_at, cancel_reason = new.cancel_reason
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],
                     $6::timestamptz[], $7::text[])
              AS new (id, deadline_at, published_at, started_at, expired_at, cancelled_at, cancel_reason)
         WHERE d.daily_ticket_id = new.id
           AND (d.deadline_at, d.published_at, d.started_at, d.expired_at, d.cancelled_at, d.cancel_reason)
               IS DISTINCT FROM (new.deadline_at, new.published_at, new.started_at, new.expired_at,
                                 new.cancelled_at, new.cancel_reason)",
        &columns.ids,
        &columns.deadlines,
        &columns.published as &[Option<DateTime<Utc>>],
        &columns.started as &[Option<DateTime<Utc>>],
        &columns.expired as &[Option<DateTime<Utc>>],
        &columns.cancelled as &[Option<DateTime<Utc>>],
        &columns.reasons as &[Option<String>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What changes of a day, a column each.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    deadlines: Vec<DateTime<Utc>>,
    published: Vec<Option<DateTime<Utc>>>,
    started: Vec<Option<DateTime<Utc>>>,
    expired: Vec<Option<DateTime<Utc>>>,
    cancelled: Vec<Option<DateTime<Utc>>>,
    reasons: Vec<Option<String>>,
}

impl Columns {
    fn of(ticket: &Ticket) -> Self {
        let mut columns = Self::default();
        for day in &ticket.days {
            let (published, started, expired, cancelled) = match &day.state {
                DayState::Draft => (None, None, None, None),
                DayState::Published { at } => (Some(*at), None, None, None),
                DayState::InProgress { published_at, started_at } => {
                    (Some(*published_at), Some(*started_at), None, None)
                }
                DayState::Expired { published_at, started_at, at } => {
                    (Some(*published_at), Some(*started_at), Some(*at), None)
                }
                DayState::Cancelled { published_at, started_at, at, reason } => {
                    (*published_at, *started_at, None, Some((*at, reason.clone())))
                }
            };
            columns.ids.push(day.id.as_uuid());
            columns.deadlines.push(day.deadline_at);
            columns.published.push(published);
            columns.started.push(started);
            columns.expired.push(expired);
            columns.cancelled.push(cancelled.as_ref().map(|(at, _)| *at));
            columns.reasons.push(cancelled.map(|(_, reason)| reason));
        }
        columns
    }
}

pub(super) fn build(row: Row) -> Result<DailyTicket, StoreError> {
    let cancelled = match (row.cancelled_at, row.cancel_reason) {
        (None, None) => None,
        (Some(at), Some(reason)) => Some((at, reason)),
        _ => return Err(corrupt(row.daily_ticket_id)),
    };
    let state = match (row.published_at, row.started_at, row.expired_at, cancelled) {
        (None, None, None, None) => DayState::Draft,
        (Some(at), None, None, None) => DayState::Published { at },
        (Some(published_at), Some(started_at), None, None) => {
            DayState::InProgress { published_at, started_at }
        }
        (Some(published_at), Some(started_at), Some(at), None) => {
            DayState::Expired { published_at, started_at, at }
        }
        (published_at, started_at, None, Some((at, reason)))
            if published_at.is_some() || started_at.is_none() =>
        {
            DayState::Cancelled { published_at, started_at, at, reason }
        }
        _ => return Err(corrupt(row.daily_ticket_id)),
    };
    Ok(DailyTicket {
        id: DailyTicketId::from_uuid(row.daily_ticket_id),
        date: row.date,
        window: InstantWindow { start: row.access_start_at, end: row.access_end_at },
        deadline_at: row.deadline_at,
        starts_at: row.starts_at,
        expires_at: row.expires_at,
        state,
    })
}

fn corrupt(id: Uuid) -> StoreError {
    StoreError::corrupt("daily_tickets", id)
}
