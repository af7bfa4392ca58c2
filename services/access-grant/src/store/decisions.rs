use chrono::{DateTime, Utc};
use decision::{Decision, Facts};
use serde_json::Value;
use service::{StoreError, Tx};
use sqlx::types::Uuid;
use types::{AreaId, DeviceId, FaceId, PassageId, SiteId, WorkerId};

/// An online decision, with all it rests on: it can be replayed.
#[derive(Debug)]
pub struct Decided<'a> {
    pub id: Uuid,
    pub site: SiteId,
    pub area: AreaId,
    pub device: &'a DeviceId,
    pub face: &'a FaceId,
    pub worker: Option<WorkerId>,
    pub direction: &'a str,
    /// The device's own time; recorded only.
    pub asked_at: Option<DateTime<Utc>>,
    pub decided_at: DateTime<Utc>,
    pub facts: &'a Facts,
    pub decision: &'a Decision,
}

pub async fn keep_decision(tx: &mut Tx, decided: Decided<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO access_grant.decisions
         (decision_id, site_id, area_id, device_id, face_id, worker_id, direction, asked_at, decided_at, allow,
          reason_code, facts, decision)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        decided.id,
        decided.site.as_uuid(),
        decided.area.as_uuid(),
        decided.device.as_str(),
        decided.face.as_str(),
        decided.worker.map(WorkerId::as_uuid),
        decided.direction,
        decided.asked_at,
        decided.decided_at,
        decided.decision.allow,
        decided.decision.reason.map(types::ReasonCode::as_str),
        json(decided.facts)?,
        json(decided.decision)?,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Why a door refused, as computed from what was known of that instant.
#[derive(Debug)]
pub struct Explained<'a> {
    pub passage: PassageId,
    pub site: SiteId,
    pub as_of: DateTime<Utc>,
    pub at: DateTime<Utc>,
    pub reason: types::ReasonCode,
    pub facts: &'a Facts,
    pub decision: &'a Decision,
}

/// Keeps an explanation; a passage is explained once, a second time changes nothing and answers `false`.
pub async fn keep_explanation(tx: &mut Tx, explained: Explained<'_>) -> Result<bool, StoreError> {
    let inserted = sqlx::query!(
        "INSERT INTO access_grant.explanations (passage_id, site_id, as_of, explained_at, reason_code, facts, decision)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (passage_id) DO NOTHING",
        explained.passage.as_uuid(),
        explained.site.as_uuid(),
        explained.as_of,
        explained.at,
        explained.reason.as_str(),
        json(explained.facts)?,
        json(explained.decision)?,
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

fn json(value: &impl serde::Serialize) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|err| StoreError::Database(sqlx::Error::Encode(err.into())))
}
