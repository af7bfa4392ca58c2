use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use service::{StoreError, Tx};
use types::{AreaId, ContractorId, Page, SiteId, SiteZone, TicketId, WorkerId};
use uuid::Uuid;

use crate::domain::{Filter, Listing, Status};

struct Row {
    ticket_id: Uuid,
    site_id: Uuid,
    contractor_id: Uuid,
    title: String,
    start_date: NaiveDate,
    end_date: NaiveDate,
    status: String,
    workers: i64,
}

/// One page, the latest start first, and how many there are on all pages.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    page: Page,
) -> Result<(Vec<Listing>, u32), StoreError> {
    let found = sqlx::query!(
        r#"WITH found AS (
               SELECT t.ticket_id, t.start_date FROM ticket.work_tickets t
               WHERE ($1::uuid IS NULL OR t.site_id = $1)
                 AND ($2::uuid IS NULL OR t.contractor_id = $2)
                 AND ($3::uuid IS NULL OR EXISTS (SELECT FROM ticket.ticket_areas a
                                                  WHERE a.ticket_id = t.ticket_id AND a.area_id = $3))
                 AND ($4::uuid IS NULL OR EXISTS (SELECT FROM ticket.ticket_workers w
                                                  WHERE w.ticket_id = t.ticket_id AND w.worker_id = $4))
                 AND ($5::date IS NULL OR t.end_date >= $5)
                 AND ($6::date IS NULL OR t.start_date <= $6)
                 AND ($7::text IS NULL OR $7 = CASE WHEN t.cancelled_at IS NOT NULL THEN 'CANCELLED'
                                                    WHEN t.published_at IS NOT NULL THEN 'ACTIVE'
                                                    ELSE 'DRAFT' END)
                 AND ($8::text IS NULL OR strpos(lower(t.title), lower($8)) > 0))
           SELECT (SELECT count(*) FROM found) AS "total!",
                  ARRAY(SELECT ticket_id FROM found ORDER BY start_date DESC, ticket_id DESC
                        LIMIT $9 OFFSET $10) AS "shown!""#,
        filter.site.map(SiteId::as_uuid),
        filter.contractor.map(ContractorId::as_uuid),
        filter.area.map(AreaId::as_uuid),
        filter.worker.map(WorkerId::as_uuid),
        filter.date_from,
        filter.date_to,
        filter.status.map(Status::as_str),
        filter.keyword.as_deref(),
        page.limit(),
        page.offset(),
    )
    .fetch_one(&mut **tx)
    .await?;
    let total = u32::try_from(found.total).unwrap_or(u32::MAX);
    Ok((listings(tx, &found.shown).await?, total))
}

async fn listings(tx: &mut Tx, ids: &[Uuid]) -> Result<Vec<Listing>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT t.ticket_id, t.site_id, t.contractor_id, t.title, t.start_date, t.end_date,
                  CASE WHEN t.cancelled_at IS NOT NULL THEN 'CANCELLED'
                       WHEN t.published_at IS NOT NULL THEN 'ACTIVE'
                       ELSE 'DRAFT' END AS "status!",
                  (SELECT count(*) FROM ticket.ticket_workers w WHERE w.ticket_id = t.ticket_id) AS "workers!"
           FROM ticket.work_tickets t WHERE t.ticket_id = ANY ($1)
           ORDER BY t.start_date DESC, t.ticket_id DESC"#,
        ids,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(listing).collect()
}

fn listing(row: Row) -> Result<Listing, StoreError> {
    let corrupt = || StoreError::corrupt("work_tickets", row.ticket_id);
    Ok(Listing {
        ticket: TicketId::from_uuid(row.ticket_id),
        site: SiteId::from_uuid(row.site_id),
        contractor: ContractorId::from_uuid(row.contractor_id),
        title: row.title,
        first_date: row.start_date,
        last_date: row.end_date,
        status: row.status.parse().map_err(|_| corrupt())?,
        workers: u32::try_from(row.workers).map_err(|_| corrupt())?,
    })
}

/// Tickets that name the worker and may have a day at `now`: one that has begun or begins within a day, and is not over.
pub async fn worker_tickets(
    tx: &mut Tx,
    worker: WorkerId,
    now: DateTime<Utc>,
) -> Result<Vec<TicketId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT DISTINCT d.ticket_id FROM ticket.ticket_workers w
         JOIN ticket.daily_tickets d ON d.ticket_id = w.ticket_id
         WHERE w.worker_id = $1 AND d.published_at IS NOT NULL AND d.cancelled_at IS NULL
           AND d.expires_at > $2 AND d.starts_at <= $3",
        worker.as_uuid(),
        now,
        now + TimeDelta::days(1),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids.into_iter().map(TicketId::from_uuid).collect())
}

/// The zone of the ticket made last, of those that can be seen.
pub async fn newest_zone(tx: &mut Tx) -> Result<Option<SiteZone>, StoreError> {
    let zone = sqlx::query_scalar!(
        "SELECT time_zone FROM ticket.work_tickets ORDER BY created_at DESC, ticket_id DESC LIMIT 1"
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(zone.and_then(|zone| SiteZone::parse(&zone).ok()))
}
