//! Notices, one row each.

mod row;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{ContractorId, NotificationId, Page, SiteId, TicketId, WorkerId};

use self::row::{Parts, Row};
use super::Versioned;
use crate::domain::{Notice, Skip, Status};

/// Writes a new notice at version 1; `false` when the worker has one of its kind and ticket.
pub(crate) async fn insert(tx: &mut Tx, notice: &Notice) -> Result<bool, StoreError> {
    let parts = Parts::of(notice)?;
    let inserted = sqlx::query!(
        "INSERT INTO notification.notices (notification_id, site_id, contractor_id, worker_id, ticket_id,
             daily_ticket_id, kind, title, date, deadline_at, time_zone, area_ids, video_count, status, reason,
             attempts, due_at, lease_until, settled_at, msgid, errcode, retried_on, retries, traceparent, created_at,
             ticket_version, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, $25, $26, 1)
         ON CONFLICT ON CONSTRAINT notices_once DO NOTHING",
        notice.id.as_uuid(),
        notice.site.as_uuid(),
        notice.contractor.as_uuid(),
        notice.worker.as_uuid(),
        notice.ticket.as_uuid(),
        notice.day.as_uuid(),
        notice.kind.as_str(),
        notice.content.title,
        notice.content.date,
        notice.content.deadline_at,
        notice.zone.name(),
        &parts.areas,
        parts.video_count,
        parts.status,
        parts.reason,
        parts.attempts,
        parts.due_at,
        parts.lease_until,
        parts.settled_at,
        parts.msgid,
        parts.errcode,
        parts.retried_on,
        parts.retries,
        notice.traceparent,
        notice.created_at,
        parts.ticket_version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Writes what can change, unless someone else has since it was read.
pub(crate) async fn save(tx: &mut Tx, notice: &mut Versioned<Notice>) -> Result<(), StoreError> {
    let parts = Parts::of(&notice.value)?;
    let version = i64::try_from(notice.version)
        .map_err(|_| StoreError::corrupt("notices", notice.value.id))?;
    let saved = sqlx::query!(
        "UPDATE notification.notices
         SET status = $3, reason = $4, attempts = $5, due_at = $6, lease_until = $7, settled_at = $8, msgid = $9,
             errcode = $10, retried_on = $11, retries = $12, traceparent = $13, daily_ticket_id = $14, title = $15,
             date = $16, deadline_at = $17, area_ids = $18, video_count = $19, version = version + 1
         WHERE notification_id = $1 AND version = $2",
        notice.value.id.as_uuid(),
        version,
        parts.status,
        parts.reason,
        parts.attempts,
        parts.due_at,
        parts.lease_until,
        parts.settled_at,
        parts.msgid,
        parts.errcode,
        parts.retried_on,
        parts.retries,
        notice.value.traceparent,
        notice.value.day.as_uuid(),
        notice.value.content.title,
        notice.value.content.date,
        notice.value.content.deadline_at,
        &parts.areas,
        parts.video_count,
    )
    .execute(&mut **tx)
    .await?;
    if saved.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    notice.version += 1;
    Ok(())
}

pub(crate) async fn get(
    tx: &mut Tx,
    id: NotificationId,
) -> Result<Option<Versioned<Notice>>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT notification_id, site_id, contractor_id, worker_id, ticket_id, ticket_version, daily_ticket_id, kind,
             title, date, deadline_at, time_zone, area_ids, video_count, status, reason, attempts, due_at, lease_until,
             settled_at, msgid, errcode, retried_on, retries, traceparent, created_at, version
         FROM notification.notices WHERE notification_id = $1",
        id.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Versioned::try_from).transpose()
}

/// Takes hold of what is due at `now` (site time), by worker; what others hold is left to them.
pub(crate) async fn due(
    tx: &mut Tx,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Versioned<Notice>>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT notification_id, site_id, contractor_id, worker_id, ticket_id, ticket_version, daily_ticket_id, kind,
             title, date, deadline_at, time_zone, area_ids, video_count, status, reason, attempts, due_at, lease_until,
             settled_at, msgid, errcode, retried_on, retries, traceparent, created_at, version
         FROM notification.notices WHERE status = 'QUEUED' AND due_at <= $1
         ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED",
        now,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut due: Vec<Versioned<Notice>> =
        rows.into_iter().map(Versioned::try_from).collect::<Result<_, _>>()?;
    // Balances are locked in this order by everyone who locks several.
    due.sort_by_key(|notice| (notice.value.worker, notice.value.id));
    Ok(due)
}

/// Takes hold of what someone began to send and whose lease was over before `now` (system time).
pub(crate) async fn abandoned(
    tx: &mut Tx,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Versioned<Notice>>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT notification_id, site_id, contractor_id, worker_id, ticket_id, ticket_version, daily_ticket_id, kind,
             title, date, deadline_at, time_zone, area_ids, video_count, status, reason, attempts, due_at, lease_until,
             settled_at, msgid, errcode, retried_on, retries, traceparent, created_at, version
         FROM notification.notices WHERE status = 'SENDING' AND lease_until < $1
         ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED",
        now,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Versioned::try_from).collect()
}

/// Takes hold of a ticket's notices that go by what it says: those that wait, and those that it took back.
pub(crate) async fn following(
    tx: &mut Tx,
    ticket: TicketId,
) -> Result<Vec<Versioned<Notice>>, StoreError> {
    let withdrawn: Vec<String> = Skip::withdrawals().map(|why| why.as_str().to_owned()).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT notification_id, site_id, contractor_id, worker_id, ticket_id, ticket_version, daily_ticket_id, kind,
             title, date, deadline_at, time_zone, area_ids, video_count, status, reason, attempts, due_at, lease_until,
             settled_at, msgid, errcode, retried_on, retries, traceparent, created_at, version
         FROM notification.notices
         WHERE ticket_id = $1 AND (status = 'QUEUED' OR reason = ANY ($2))
         ORDER BY notification_id FOR UPDATE",
        ticket.as_uuid(),
        &withdrawn,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Versioned::try_from).collect()
}

/// Which notices are asked for; an absent part asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub site: Option<SiteId>,
    pub contractor: Option<ContractorId>,
    pub ticket: Option<TicketId>,
    pub worker: Option<WorkerId>,
    pub status: Option<Status>,
}

/// One page, newest first, and how many there are in all.
pub(crate) async fn list(
    tx: &mut Tx,
    filter: &Filter,
    page: Page,
) -> Result<(Vec<Versioned<Notice>>, u32), StoreError> {
    let site = filter.site.map(SiteId::as_uuid);
    let contractor = filter.contractor.map(ContractorId::as_uuid);
    let ticket = filter.ticket.map(TicketId::as_uuid);
    let worker = filter.worker.map(WorkerId::as_uuid);
    // To others a notice being sent is still queued.
    let statuses: Option<Vec<String>> = filter.status.map(|status| match status {
        Status::Queued => vec!["QUEUED".to_owned(), "SENDING".to_owned()],
        status => vec![status.to_string()],
    });
    let rows = sqlx::query_as!(
        Row,
        "SELECT notification_id, site_id, contractor_id, worker_id, ticket_id, ticket_version, daily_ticket_id, kind,
             title, date, deadline_at, time_zone, area_ids, video_count, status, reason, attempts, due_at, lease_until,
             settled_at, msgid, errcode, retried_on, retries, traceparent, created_at, version
         FROM notification.notices
         WHERE ($1::uuid IS NULL OR site_id = $1) AND ($2::uuid IS NULL OR contractor_id = $2)
           AND ($3::uuid IS NULL OR ticket_id = $3) AND ($4::uuid IS NULL OR worker_id = $4)
           AND ($5::text[] IS NULL OR status = ANY ($5))
         ORDER BY created_at DESC, notification_id DESC LIMIT $6 OFFSET $7",
        site,
        contractor,
        ticket,
        worker,
        statuses.as_deref(),
        page.limit(),
        page.offset(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM notification.notices
         WHERE ($1::uuid IS NULL OR site_id = $1) AND ($2::uuid IS NULL OR contractor_id = $2)
           AND ($3::uuid IS NULL OR ticket_id = $3) AND ($4::uuid IS NULL OR worker_id = $4)
           AND ($5::text[] IS NULL OR status = ANY ($5))"#,
        site,
        contractor,
        ticket,
        worker,
        statuses.as_deref(),
    )
    .fetch_one(&mut **tx)
    .await?;
    let notices = rows.into_iter().map(Versioned::try_from).collect::<Result<_, _>>()?;
    Ok((notices, u32::try_from(total).unwrap_or(u32::MAX)))
}
