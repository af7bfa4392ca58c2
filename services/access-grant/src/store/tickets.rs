use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use sqlx::types::Uuid;
use types::{ContractorId, DailyTicketId, InstantWindow, SiteId, SiteZone, TicketId, WorkerId};

use super::{signed, uuids};
use crate::domain::{Day, DayState};

/// One version of a ticket, as the fact carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketVersion {
    pub id: TicketId,
    pub version: u64,
    pub site: SiteId,
    pub contractor: ContractorId,
    pub effective_at: DateTime<Utc>,
    /// `DRAFT`, `ACTIVE` or `CANCELLED`.
    pub status: String,
    pub zone: SiteZone,
    pub areas: Vec<Uuid>,
    pub workers: Vec<Uuid>,
    pub days: Vec<DayVersion>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayVersion {
    pub id: DailyTicketId,
    pub status: String,
    pub live: InstantWindow,
    pub window: InstantWindow,
    pub deadline_at: DateTime<Utc>,
}

/// Keeps a version; the same one again changes nothing and answers `false`.
pub async fn keep(tx: &mut Tx, ticket: &TicketVersion) -> Result<bool, StoreError> {
    let (id, site, version) = (ticket.id.as_uuid(), ticket.site.as_uuid(), signed(ticket.version));
    let inserted = sqlx::query!(
        "INSERT INTO access_grant.ticket_versions
         (ticket_id, version, site_id, contractor_id, effective_at, status, time_zone, area_ids, worker_ids)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (ticket_id, version) DO NOTHING",
        id,
        version,
        site,
        ticket.contractor.as_uuid(),
        ticket.effective_at,
        ticket.status,
        ticket.zone.name(),
        &ticket.areas,
        &ticket.workers,
    )
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO access_grant.ticket_workers (worker_id, ticket_id, site_id)
         SELECT worker_id, $2, $3 FROM unnest($1::uuid[]) AS named (worker_id) ON CONFLICT DO NOTHING",
        &ticket.workers,
        id,
        site,
    )
    .execute(&mut **tx)
    .await?;
    let column =
        |read: fn(&DayVersion) -> DateTime<Utc>| ticket.days.iter().map(read).collect::<Vec<_>>();
    let ids: Vec<Uuid> = ticket.days.iter().map(|day| day.id.as_uuid()).collect();
    let statuses: Vec<String> = ticket.days.iter().map(|day| day.status.clone()).collect();
    sqlx::query!(
        "INSERT INTO access_grant.day_versions
         (daily_ticket_id, version, ticket_id, site_id, status, live_start, live_end, window_start, window_end, deadline_at)
         SELECT id, $8, $9, $10, status, live_start, live_end, window_start, window_end, deadline_at
         FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],
                     $6::timestamptz[], $7::timestamptz[])
              AS day (id, status, live_start, live_end, window_start, window_end, deadline_at)",
        &ids,
        &statuses,
        &column(|day| day.live.start),
        &column(|day| day.live.end),
        &column(|day| day.window.start),
        &column(|day| day.window.end),
        &column(|day| day.deadline_at),
        version,
        id,
        site,
    )
    .execute(&mut **tx)
    .await?;
    Ok(true)
}

/// Where a day is to be looked for.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    Ticket(TicketId),
    Days(&'a [DailyTicketId]),
}

/// Days as they now are: by the newest version of their ticket that is known.
pub async fn days(
    tx: &mut Tx,
    which: Which<'_>,
) -> Result<BTreeMap<DailyTicketId, Day>, StoreError> {
    let (ticket, day_ids) = match which {
        Which::Ticket(ticket) => (Some(ticket.as_uuid()), Vec::new()),
        Which::Days(ids) => (None, uuids(ids)),
    };
    let rows = sqlx::query_as!(
        DayRow,
        r#"SELECT t.ticket_id, t.site_id, t.contractor_id, t.status AS ticket_status, t.time_zone, t.area_ids, t.worker_ids,
                  d.daily_ticket_id, d.status, d.live_start, d.live_end, d.window_start, d.window_end, d.deadline_at
           FROM (SELECT $1::uuid AS ticket_id WHERE $1::uuid IS NOT NULL
                 UNION SELECT ticket_id FROM access_grant.day_versions WHERE daily_ticket_id = ANY($2)) w
           CROSS JOIN LATERAL (SELECT * FROM access_grant.ticket_versions v WHERE v.ticket_id = w.ticket_id
                               ORDER BY v.version DESC LIMIT 1) t
           JOIN access_grant.day_versions d ON d.ticket_id = t.ticket_id AND d.version = t.version
           WHERE $1::uuid IS NOT NULL OR d.daily_ticket_id = ANY($2)"#,
        ticket,
        &day_ids,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(|row| row.day().map(|(day, _)| (day.id, day))).collect()
}

/// The days open now on which a worker is named and that are not over at `now`.
pub async fn open_days_of(
    tx: &mut Tx,
    worker: WorkerId,
    now: DateTime<Utc>,
) -> Result<BTreeMap<DailyTicketId, Day>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT DISTINCT d.daily_ticket_id FROM access_grant.ticket_workers w
         JOIN access_grant.day_versions d ON d.ticket_id = w.ticket_id
         WHERE w.worker_id = $1 AND d.live_end > $2",
        worker.as_uuid(),
        now,
    )
    .fetch_all(&mut **tx)
    .await?;
    let ids: Vec<DailyTicketId> = ids.into_iter().map(DailyTicketId::from_uuid).collect();
    days(tx, Which::Days(&ids)).await
}

/// A day joined with its ticket, at one version.
#[derive(Debug)]
pub(super) struct DayRow {
    pub(super) ticket_id: Uuid,
    pub(super) site_id: Uuid,
    pub(super) contractor_id: Uuid,
    pub(super) ticket_status: String,
    pub(super) time_zone: String,
    pub(super) area_ids: Vec<Uuid>,
    pub(super) worker_ids: Vec<Uuid>,
    pub(super) daily_ticket_id: Uuid,
    pub(super) status: String,
    pub(super) live_start: DateTime<Utc>,
    pub(super) live_end: DateTime<Utc>,
    pub(super) window_start: DateTime<Utc>,
    pub(super) window_end: DateTime<Utc>,
    pub(super) deadline_at: DateTime<Utc>,
}

impl DayRow {
    /// The day, and the span in which it is one of "today's".
    pub(super) fn day(self) -> Result<(Day, InstantWindow), StoreError> {
        let corrupt = || StoreError::corrupt("day_versions", self.daily_ticket_id);
        let state = match (self.ticket_status.as_str(), self.status.as_str()) {
            (_, "EXPIRED") => DayState::Expired,
            ("CANCELLED", _) | (_, "CANCELLED") => DayState::Cancelled,
            ("DRAFT", _) | (_, "DRAFT") => DayState::Draft,
            ("ACTIVE", "PUBLISHED" | "IN_PROGRESS") => DayState::Open,
            _ => return Err(corrupt()),
        };
        let day = Day {
            id: DailyTicketId::from_uuid(self.daily_ticket_id),
            ticket: TicketId::from_uuid(self.ticket_id),
            site: SiteId::from_uuid(self.site_id),
            contractor: ContractorId::from_uuid(self.contractor_id),
            zone: SiteZone::parse(&self.time_zone).map_err(|_| corrupt())?,
            state,
            window: InstantWindow { start: self.window_start, end: self.window_end },
            deadline_at: self.deadline_at,
            areas: self.area_ids.into_iter().map(Into::into).collect(),
            workers: self.worker_ids.into_iter().map(Into::into).collect(),
        };
        Ok((day, InstantWindow { start: self.live_start, end: self.live_end }))
    }
}
