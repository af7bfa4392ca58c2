use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use sqlx::types::Uuid;
use types::{
    AccessGroupId, AreaId, ContractorId, DailyTicketId, FaceId, GrantId, InstantWindow, SiteZone,
    TicketId, WorkerId,
};

use super::{number, signed, uuids};
use crate::domain::{Aim, Grant, RevokeReason, State};

/// Writes a new grant.
pub async fn insert(tx: &mut Tx, grant: &Grant) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO access_grant.grants
         (grant_id, site_id, contractor_id, ticket_id, daily_ticket_id, worker_id, area_id, access_group_id, face_id,
          window_start, window_end, time_zone, revision, status, created_at, attempts, last_error, due_at, traceparent,
          version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, $16, $17, $18, $19)",
        grant.id.as_uuid(),
        grant.site.as_uuid(),
        grant.contractor.as_uuid(),
        grant.ticket.as_uuid(),
        grant.day.as_uuid(),
        grant.worker.as_uuid(),
        grant.area.as_uuid(),
        grant.aim.group.as_ref().map(AccessGroupId::as_str),
        grant.aim.face.as_ref().map(FaceId::as_str),
        grant.aim.window.start,
        grant.aim.window.end,
        grant.aim.zone.name(),
        signed(grant.revision),
        grant.state.as_str(),
        grant.created_at,
        grant.last_error,
        grant.due_at,
        grant.traceparent,
        signed(grant.version),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes a grant over the version it was read at, and counts it up. While it is synced a span of proof is open; when
/// it is not any more, the span ends at `now`.
pub async fn save(tx: &mut Tx, grant: &mut Grant, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (revoked_at, reason, withdrawn_at) = match grant.state {
        State::Revoked { reason, at, proved_at } => (Some(at), Some(reason.as_str()), proved_at),
        _ => (None, None, None),
    };
    let updated = sqlx::query!(
        "UPDATE access_grant.grants
         SET access_group_id = $3, face_id = $4, window_start = $5, window_end = $6, time_zone = $7, revision = $8,
             status = $9, sent_at = $10, proved_at = $11, revoked_at = $12, revoke_reason = $13,
             revocation_proved_at = $14, attempts = $15, last_error = $16, due_at = $17, traceparent = $18,
             version = version + 1
         WHERE grant_id = $1 AND version = $2",
        grant.id.as_uuid(),
        signed(grant.version),
        grant.aim.group.as_ref().map(AccessGroupId::as_str),
        grant.aim.face.as_ref().map(FaceId::as_str),
        grant.aim.window.start,
        grant.aim.window.end,
        grant.aim.zone.name(),
        signed(grant.revision),
        grant.state.as_str(),
        grant.sent_at,
        grant.proved_at,
        revoked_at,
        reason,
        withdrawn_at,
        i32::try_from(grant.attempts).unwrap_or(i32::MAX),
        grant.last_error,
        grant.due_at,
        grant.traceparent,
    )
    .execute(&mut **tx)
    .await?;
    if updated.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    grant.version += 1;
    if grant.is_synced() {
        sqlx::query!(
            "INSERT INTO access_grant.proofs (grant_id, site_id, proved_at) VALUES ($1, $2, $3)
             ON CONFLICT (grant_id) WHERE lost_at IS NULL DO NOTHING",
            grant.id.as_uuid(),
            grant.site.as_uuid(),
            grant.proved_at.unwrap_or(now),
        )
        .execute(&mut **tx)
        .await?;
    } else {
        sqlx::query!(
            "UPDATE access_grant.proofs SET lost_at = greatest(proved_at, $2) WHERE grant_id = $1 AND lost_at IS NULL",
            grant.id.as_uuid(),
            now,
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Every grant of some days, ended ones too, locked until the transaction ends.
pub async fn of_days(
    tx: &mut Tx,
    days: &[DailyTicketId],
    worker: Option<WorkerId>,
) -> Result<BTreeMap<DailyTicketId, Vec<Grant>>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM access_grant.grants
         WHERE daily_ticket_id = ANY($1) AND ($2::uuid IS NULL OR worker_id = $2) ORDER BY grant_id FOR UPDATE",
        &uuids(days),
        worker.map(WorkerId::as_uuid),
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut grants: BTreeMap<DailyTicketId, Vec<Grant>> = BTreeMap::new();
    for row in rows {
        let grant = Grant::try_from(row)?;
        grants.entry(grant.day).or_default().push(grant);
    }
    Ok(grants)
}

/// The grants of one worker's day.
pub async fn of_worker_day(
    tx: &mut Tx,
    day: DailyTicketId,
    worker: WorkerId,
) -> Result<Vec<Grant>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM access_grant.grants WHERE daily_ticket_id = $1 AND worker_id = $2 ORDER BY grant_id",
        day.as_uuid(),
        worker.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// One grant, locked until the transaction ends.
pub async fn get(tx: &mut Tx, id: GrantId) -> Result<Option<Grant>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM access_grant.grants WHERE grant_id = $1 FOR UPDATE",
        id.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Grant::try_from).transpose()
}

/// Some grants by their ids; not locked.
pub async fn by_ids(tx: &mut Tx, ids: &[GrantId]) -> Result<Vec<Grant>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM access_grant.grants WHERE grant_id = ANY($1) ORDER BY grant_id",
        &uuids(ids),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// The live grants that could have let a worker into an area at an instant; not locked.
pub async fn opening(
    tx: &mut Tx,
    worker: WorkerId,
    area: AreaId,
    at: DateTime<Utc>,
) -> Result<Vec<Grant>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM access_grant.grants
         WHERE worker_id = $1 AND area_id = $2 AND status <> 'REVOKED' AND window_start <= $3 AND window_end > $3
         ORDER BY grant_id",
        worker.as_uuid(),
        area.as_uuid(),
        at,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// What a list is narrowed to; `None` does not narrow.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    pub contractor: Option<ContractorId>,
    pub site: Option<types::SiteId>,
    pub ticket: Option<TicketId>,
    pub day: Option<DailyTicketId>,
    pub worker: Option<WorkerId>,
    pub area: Option<AreaId>,
    pub status: Option<&'a str>,
}

/// One page of grants, newest first, and how many there are in all.
pub async fn list(
    tx: &mut Tx,
    filter: Filter<'_>,
    page: types::Page,
) -> Result<(Vec<Grant>, u64), StoreError> {
    let (contractor, site) = (filter.contractor.map(Uuid::from), filter.site.map(Uuid::from));
    let (ticket, day) = (filter.ticket.map(Uuid::from), filter.day.map(Uuid::from));
    let (worker, area) = (filter.worker.map(Uuid::from), filter.area.map(Uuid::from));
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM access_grant.grants
         WHERE ($1::uuid IS NULL OR contractor_id = $1) AND ($2::uuid IS NULL OR site_id = $2)
           AND ($3::uuid IS NULL OR ticket_id = $3) AND ($4::uuid IS NULL OR daily_ticket_id = $4)
           AND ($5::uuid IS NULL OR worker_id = $5) AND ($6::uuid IS NULL OR area_id = $6)
           AND ($7::text IS NULL OR status = $7)
         ORDER BY created_at DESC, grant_id DESC LIMIT $8 OFFSET $9",
        contractor,
        site,
        ticket,
        day,
        worker,
        area,
        filter.status,
        page.limit(),
        page.offset(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "total!" FROM access_grant.grants
           WHERE ($1::uuid IS NULL OR contractor_id = $1) AND ($2::uuid IS NULL OR site_id = $2)
             AND ($3::uuid IS NULL OR ticket_id = $3) AND ($4::uuid IS NULL OR daily_ticket_id = $4)
             AND ($5::uuid IS NULL OR worker_id = $5) AND ($6::uuid IS NULL OR area_id = $6)
             AND ($7::text IS NULL OR status = $7)"#,
        contractor,
        site,
        ticket,
        day,
        worker,
        area,
        filter.status,
    )
    .fetch_one(&mut **tx)
    .await?;
    let grants = rows.into_iter().map(Grant::try_from).collect::<Result<_, _>>()?;
    Ok((grants, number("grants", total)?))
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) grant_id: Uuid,
    pub(super) site_id: Uuid,
    pub(super) contractor_id: Uuid,
    pub(super) ticket_id: Uuid,
    pub(super) daily_ticket_id: Uuid,
    pub(super) worker_id: Uuid,
    pub(super) area_id: Uuid,
    pub(super) access_group_id: Option<String>,
    pub(super) face_id: Option<String>,
    pub(super) window_start: DateTime<Utc>,
    pub(super) window_end: DateTime<Utc>,
    pub(super) time_zone: String,
    pub(super) revision: i64,
    pub(super) status: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) sent_at: Option<DateTime<Utc>>,
    pub(super) proved_at: Option<DateTime<Utc>>,
    pub(super) revoked_at: Option<DateTime<Utc>>,
    pub(super) revoke_reason: Option<String>,
    pub(super) revocation_proved_at: Option<DateTime<Utc>>,
    pub(super) attempts: i32,
    pub(super) last_error: Option<String>,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) lease_id: Option<Uuid>,
    #[expect(
        dead_code,
        reason = "read with the row; leases are compared where they are taken, in SQL"
    )]
    pub(super) lease_until: Option<DateTime<Utc>>,
    pub(super) traceparent: Option<String>,
    pub(super) version: i64,
}

impl TryFrom<Row> for Grant {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = || StoreError::corrupt("grants", row.grant_id);
        let reason =
            |text: &str| RevokeReason::ALL.into_iter().find(|reason| reason.as_str() == text);
        let state = match (row.status.as_str(), row.revoked_at, row.revoke_reason.as_deref()) {
            ("PENDING_SYNC", None, None) => State::Pending,
            ("SYNCED", None, None) => State::Synced,
            ("SYNC_FAILED", None, None) => State::Failed,
            ("REVOKED", Some(at), Some(text)) => State::Revoked {
                reason: reason(text).ok_or_else(corrupt)?,
                at,
                proved_at: row.revocation_proved_at,
            },
            _ => return Err(corrupt()),
        };
        let group = row
            .access_group_id
            .as_deref()
            .map(AccessGroupId::parse)
            .transpose()
            .map_err(|_| corrupt())?;
        let face = row.face_id.as_deref().map(FaceId::parse).transpose().map_err(|_| corrupt())?;
        Ok(Self {
            id: row.grant_id.into(),
            site: row.site_id.into(),
            contractor: row.contractor_id.into(),
            ticket: row.ticket_id.into(),
            day: row.daily_ticket_id.into(),
            worker: row.worker_id.into(),
            area: row.area_id.into(),
            aim: Aim {
                window: InstantWindow { start: row.window_start, end: row.window_end },
                zone: SiteZone::parse(&row.time_zone).map_err(|_| corrupt())?,
                face,
                group,
            },
            revision: number("grants", row.revision)?,
            state,
            created_at: row.created_at,
            sent_at: row.sent_at,
            proved_at: row.proved_at,
            attempts: u32::try_from(row.attempts).map_err(|_| corrupt())?,
            last_error: row.last_error,
            due_at: row.due_at,
            traceparent: row.traceparent,
            version: number("grants", row.version)?,
        })
    }
}
