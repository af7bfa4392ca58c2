use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use sqlx::types::Uuid;
use types::{BindingId, ContractorId, FaceId, SiteId, WorkerId};

use super::{signed, uuids};

/// One version of a worker, as others may know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerVersion {
    pub id: WorkerId,
    pub version: u64,
    pub effective_at: DateTime<Utc>,
    pub face: Option<FaceId>,
    pub sites: Vec<Uuid>,
    pub contractors: Vec<Uuid>,
}

/// Keeps a version; the same one again changes nothing.
pub async fn keep(tx: &mut Tx, worker: &WorkerVersion) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO access_grant.worker_versions
         (worker_id, version, effective_at, face_id, site_ids, contractor_ids) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (worker_id, version) DO NOTHING",
        worker.id.as_uuid(),
        signed(worker.version),
        worker.effective_at,
        worker.face.as_ref().map(FaceId::as_str),
        &worker.sites,
        &worker.contractors,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A binding began. Its end may have been heard of already.
pub async fn bound(
    tx: &mut Tx,
    binding: BindingId,
    worker: WorkerId,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO access_grant.bindings (binding_id, worker_id, bound_at) VALUES ($1, $2, $3)
         ON CONFLICT (binding_id) DO UPDATE SET bound_at = excluded.bound_at",
        binding.as_uuid(),
        worker.as_uuid(),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A binding ended. Its beginning may be heard of later.
pub async fn unbound(
    tx: &mut Tx,
    binding: BindingId,
    worker: WorkerId,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO access_grant.bindings (binding_id, worker_id, unbound_at) VALUES ($1, $2, $3)
         ON CONFLICT (binding_id) DO UPDATE SET unbound_at = excluded.unbound_at",
        binding.as_uuid(),
        worker.as_uuid(),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Which of these workers were bound at `as_of`.
pub async fn bound_at(
    tx: &mut Tx,
    workers: &[WorkerId],
    as_of: DateTime<Utc>,
) -> Result<BTreeSet<WorkerId>, StoreError> {
    let rows = sqlx::query_scalar!(
        "SELECT DISTINCT worker_id FROM access_grant.bindings
         WHERE worker_id = ANY($1) AND bound_at <= $2 AND (unbound_at IS NULL OR unbound_at > $2)",
        &uuids(workers),
        as_of,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(WorkerId::from_uuid).collect())
}

/// The faces of these workers, as they now are.
pub async fn faces(
    tx: &mut Tx,
    workers: &[WorkerId],
) -> Result<BTreeMap<WorkerId, FaceId>, StoreError> {
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (worker_id) worker_id, face_id FROM access_grant.worker_versions
         WHERE worker_id = ANY($1) ORDER BY worker_id, version DESC",
        &uuids(workers),
    )
    .fetch_all(&mut **tx)
    .await?;
    let known = rows.into_iter().filter_map(|row| Some((row.worker_id, row.face_id?)));
    known
        .map(|(worker, face)| {
            let face =
                FaceId::parse(&face).map_err(|_| StoreError::corrupt("worker_versions", worker))?;
            Ok((worker.into(), face))
        })
        .collect()
}

/// A worker by their face, with the sites they worked on, at `as_of`. Of several, the one who has had it the least long.
pub async fn by_face(
    tx: &mut Tx,
    face: &FaceId,
    as_of: DateTime<Utc>,
) -> Result<Option<(WorkerId, BTreeSet<SiteId>)>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT w.worker_id, w.site_ids
           FROM (SELECT DISTINCT worker_id FROM access_grant.worker_versions WHERE face_id = $1) had
           CROSS JOIN LATERAL (SELECT * FROM access_grant.worker_versions v
                               WHERE v.worker_id = had.worker_id AND v.effective_at <= $2
                               ORDER BY v.version DESC LIMIT 1) w
           WHERE w.face_id = $1 ORDER BY w.effective_at DESC, w.worker_id DESC LIMIT 1"#,
        face.as_str(),
        as_of,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| {
        (row.worker_id.into(), row.site_ids.into_iter().map(SiteId::from_uuid).collect())
    }))
}

/// Whether the worker works, or ever worked, for the contractor.
pub async fn is_of(
    tx: &mut Tx,
    worker: WorkerId,
    contractor: ContractorId,
) -> Result<bool, StoreError> {
    let of = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM access_grant.worker_versions WHERE worker_id = $1 AND $2 = ANY(contractor_ids))
               OR EXISTS (SELECT FROM access_grant.ticket_workers n JOIN access_grant.ticket_versions t USING (ticket_id)
                          WHERE n.worker_id = $1 AND t.contractor_id = $2) AS "of!""#,
        worker.as_uuid(),
        contractor.as_uuid(),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(of)
}
