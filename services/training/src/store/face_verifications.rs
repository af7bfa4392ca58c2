use chrono::{DateTime, Utc};
use types::{DailyTicketId, SiteId, WorkerId};
use uuid::Uuid;

use super::{Error, Tx};
use crate::domain::Purpose;

/// A verification begun at a provider. Its token is not in it.
#[derive(Debug, Clone)]
pub struct FaceVerification {
    pub id: Uuid,
    pub site: SiteId,
    pub daily_ticket: DailyTicketId,
    pub worker: WorkerId,
    pub purpose: Purpose,
    pub provider: String,
    pub verify_id: String,
    pub out_seq_no: String,
    /// System time.
    pub expires_at: DateTime<Utc>,
    pub used: bool,
}

/// Keeps a new one under the hash of its token.
pub async fn insert(
    tx: &mut Tx,
    verification: &FaceVerification,
    token_hash: &[u8],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let (purpose, check) = match verification.purpose {
        Purpose::Start => ("START", None),
        Purpose::Check(check) => ("CHECK", Some(check.as_uuid())),
    };
    sqlx::query!(
        "INSERT INTO training.face_verifications (face_verification_id, token_hash, site_id, daily_ticket_id, worker_id,
             purpose, check_id, provider, verify_id, out_seq_no, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        verification.id,
        token_hash,
        verification.site.as_uuid(),
        verification.daily_ticket.as_uuid(),
        verification.worker.as_uuid(),
        purpose,
        check,
        verification.provider,
        verification.verify_id,
        verification.out_seq_no,
        at,
        verification.expires_at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub async fn by_token(tx: &mut Tx, token_hash: &[u8]) -> Result<Option<FaceVerification>, Error> {
    let row = sqlx::query!(
        "SELECT face_verification_id, site_id, daily_ticket_id, worker_id, purpose, check_id, provider, verify_id,
                out_seq_no, expires_at, used_at
         FROM training.face_verifications WHERE token_hash = $1",
        token_hash
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let purpose = match (row.purpose.as_str(), row.check_id) {
        ("START", None) => Purpose::Start,
        ("CHECK", Some(check)) => Purpose::Check(check.into()),
        _ => return Err(Error::corrupt("face_verifications", row.face_verification_id)),
    };
    Ok(Some(FaceVerification {
        id: row.face_verification_id,
        site: row.site_id.into(),
        daily_ticket: row.daily_ticket_id.into(),
        worker: row.worker_id.into(),
        purpose,
        provider: row.provider,
        verify_id: row.verify_id,
        out_seq_no: row.out_seq_no,
        expires_at: row.expires_at,
        used: row.used_at.is_some(),
    }))
}

/// Uses a verification up; `false` when another call was first or its time is over.
pub async fn consume(tx: &mut Tx, id: Uuid, now: DateTime<Utc>) -> Result<bool, Error> {
    let updated = sqlx::query!(
        "UPDATE training.face_verifications SET used_at = $2
         WHERE face_verification_id = $1 AND used_at IS NULL AND expires_at > $2",
        id,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}
