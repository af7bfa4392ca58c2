use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use service::{StoreError, Tx};
use types::{AreaId, ContractorId, Page, SiteId, SiteZone, TicketId, WorkerId};
use uuid::Uuid;

use crate::domain::{Filter, Listing, Sort, Status};

struct Row {
    ticket_id: Uuid,
    site_id: Uuid,
    contractor_id: Uuid,
    title: String,
    start_date: NaiveDate,
    end_date: NaiveDate,
    created_at: DateTime<Utc>,
    status: String,
    workers: i64,
}

/// One page in the order asked for, and how many there are on all pages.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    sort: Sort,
    page: Page,
) -> Result<(Vec<Listing>, u32), StoreError> {
    plan_for_what_is_given(tx).await?;
    let workers: Option<Vec<Uuid>> =
        filter.workers.as_ref().map(|ids| ids.iter().map(|id| id.as_uuid()).collect());
    let found = sqlx::query!(
        r#"WITH found AS (
               SELECT t.ticket_id, t.start_date, t.end_date, t.created_at, t.title FROM ticket.work_tickets t
               WHERE ($1::uuid IS NULL OR t.site_id = $1)
                 AND ($2::uuid IS NULL OR t.contractor_id = $2)
                 AND ($3::uuid IS NULL OR t.ticket_id = ANY (ARRAY(
                         SELECT a.ticket_id FROM ticket.ticket_areas a WHERE a.area_id = $3)))
                 AND ($4::uuid[] IS NULL OR t.ticket_id = ANY (ARRAY(
                         SELECT DISTINCT w.ticket_id FROM ticket.ticket_workers w WHERE w.worker_id = ANY ($4))))
                 AND ($5::date IS NULL OR t.end_date >= $5)
                 AND ($6::date IS NULL OR t.start_date <= $6)
                 AND ($7::text IS NULL OR $7 = CASE WHEN t.cancelled_at IS NOT NULL THEN 'CANCELLED'
                                                    WHEN t.published_at IS NOT NULL THEN 'ACTIVE'
                                                    ELSE 'DRAFT' END)
                 AND ($8::text IS NULL OR strpos(lower(t.title), lower($8)) > 0))
           SELECT (SELECT count(*) FROM found) AS "total!",
                  ARRAY(SELECT ticket_id FROM found
                        ORDER BY CASE WHEN $9 = 'start_date' THEN start_date END,
                                 CASE WHEN $9 = '-start_date' THEN start_date END DESC,
                                 CASE WHEN $9 = 'end_date' THEN end_date END,
                                 CASE WHEN $9 = '-end_date' THEN end_date END DESC,
                                 CASE WHEN $9 = 'created_at' THEN created_at END,
                                 CASE WHEN $9 = '-created_at' THEN created_at END DESC,
                                 CASE WHEN $9 = 'title' THEN title END,
                                 CASE WHEN $9 = '-title' THEN title END DESC,
                                 ticket_id DESC
                        LIMIT $10 OFFSET $11) AS "shown!""#,
        filter.site.map(SiteId::as_uuid),
        filter.contractor.map(ContractorId::as_uuid),
        filter.area.map(AreaId::as_uuid),
        workers as _,
        filter.date_from,
        filter.date_to,
        filter.status.map(Status::as_str),
        filter.keyword.as_deref(),
        sort.as_str(),
        page.limit(),
        page.offset(),
    )
    .fetch_one(&mut **tx)
    .await?;
    let total = u32::try_from(found.total).unwrap_or(u32::MAX);
    Ok((listings(tx, &found.shown).await?, total))
}

/// A plan made once for all has to serve every filter, given or not, and serves none by an index.
async fn plan_for_what_is_given(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query!("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
        .fetch_one(&mut **tx)
        .await?;
    Ok(())
}

/// The rows of these tickets, in their order.
async fn listings(tx: &mut Tx, ids: &[Uuid]) -> Result<Vec<Listing>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT t.ticket_id, t.site_id, t.contractor_id, t.title, t.start_date, t.end_date, t.created_at,
                  CASE WHEN t.cancelled_at IS NOT NULL THEN 'CANCELLED'
                       WHEN t.published_at IS NOT NULL THEN 'ACTIVE'
                       ELSE 'DRAFT' END AS "status!",
                  (SELECT count(*) FROM ticket.ticket_workers w WHERE w.ticket_id = t.ticket_id) AS "workers!"
           FROM ticket.work_tickets t WHERE t.ticket_id = ANY ($1)
           ORDER BY array_position($1, t.ticket_id)"#,
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
        created_at: row.created_at,
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

/// The zone of the newest ticket that names the worker. Ids grow with time.
pub async fn newest_zone(tx: &mut Tx, worker: WorkerId) -> Result<Option<SiteZone>, StoreError> {
    let zone = sqlx::query_scalar!(
        "SELECT t.time_zone FROM ticket.ticket_workers w
         JOIN ticket.work_tickets t ON t.ticket_id = w.ticket_id
         WHERE w.worker_id = $1 ORDER BY w.ticket_id DESC LIMIT 1",
        worker.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(zone.and_then(|zone| SiteZone::parse(&zone).ok()))
}
