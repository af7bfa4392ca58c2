//! The same key and body give the same answer, another body 40903: kept in the command's own transaction.

use prost::Message;
use sha2::{Digest, Sha256};
use sqlx::Row;
use tonic::Request;
use types::ErrorCode;

use crate::grpc::Method;
use crate::refusal::Refusal;
use crate::store::{StoreError, Tx};

/// How long an answer is kept for who repeats the call: a phone that was out of reach over a long weekend still gets it.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::days(7);
/// Rows deleted in one transaction.
const BATCH: i64 = 10_000;

/// The metadata key a client's `Idempotency-Key` travels in.
pub const METADATA: &str = "idempotency-key";

/// Whose call this is and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    caller: String,
    call: String,
    text: String,
    body_hash: Vec<u8>,
}

impl Key {
    /// The key of a request; `None` when the client sent none.
    pub fn from_request<M: Message>(request: &Request<M>) -> Option<Self> {
        let text = request.metadata().get(METADATA)?.to_str().ok()?.to_owned();
        let caller = request.extensions().get::<auth::Caller>()?.subject.to_string();
        let call = request.extensions().get::<Method>()?.0.clone();
        let body_hash = Sha256::digest(request.get_ref().encode_to_vec()).to_vec();
        Some(Self { caller, call, text, body_hash })
    }
}

/// What a key means for this call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Claim {
    /// Go on, and [`answer`] before the commit.
    New,
    /// Answer this and change nothing.
    Replay(Vec<u8>),
}

/// Why a claim failed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error("the key was used for another request")]
    Reused,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<&ClaimError> for Refusal {
    fn from(err: &ClaimError) -> Self {
        match err {
            ClaimError::Reused => Self::new(ErrorCode::IdempotencyKeyReused),
            ClaimError::Store(err) => err.into(),
        }
    }
}

/// Takes the key for this transaction. A second caller with the same key waits here until the first has
/// committed or rolled back, then replays its answer or takes its place.
pub async fn claim(
    tx: &mut Tx,
    key: Option<&Key>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Claim, ClaimError> {
    let Some(key) = key else { return Ok(Claim::New) };
    let inserted = sqlx::query(
        "INSERT INTO idempotency_keys (caller, call, key, body_hash, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (caller, call, key) DO NOTHING",
    )
    .bind(&key.caller)
    .bind(&key.call)
    .bind(&key.text)
    .bind(&key.body_hash)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(StoreError::from)?;
    if inserted.rows_affected() == 1 {
        return Ok(Claim::New);
    }
    let row = sqlx::query(
        "SELECT body_hash, answer FROM idempotency_keys WHERE caller = $1 AND call = $2 AND key = $3",
    )
    .bind(&key.caller)
    .bind(&key.call)
    .bind(&key.text)
    .fetch_one(&mut **tx)
    .await
    .map_err(StoreError::from)?;
    let body_hash: Vec<u8> = row.try_get("body_hash").map_err(StoreError::from)?;
    if body_hash != key.body_hash {
        return Err(ClaimError::Reused);
    }
    let answer: Option<Vec<u8>> = row.try_get("answer").map_err(StoreError::from)?;
    Ok(Claim::Replay(answer.unwrap_or_default()))
}

/// Keeps the answer of a new claim, in the same transaction as its effect.
pub async fn answer(
    tx: &mut Tx,
    key: Option<&Key>,
    answer: &impl Message,
) -> Result<(), StoreError> {
    let Some(key) = key else { return Ok(()) };
    sqlx::query(
        "UPDATE idempotency_keys SET answer = $4 WHERE caller = $1 AND call = $2 AND key = $3",
    )
    .bind(&key.caller)
    .bind(&key.call)
    .bind(&key.text)
    .bind(answer.encode_to_vec())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Forgets some of the answers that nobody repeats a call for any more, a batch at a time; says how many. A key that
/// comes later is a new one.
pub async fn forget(tx: &mut Tx, now: chrono::DateTime<chrono::Utc>) -> Result<u64, StoreError> {
    let gone = sqlx::query(
        "DELETE FROM idempotency_keys WHERE (caller, call, key) IN
             (SELECT caller, call, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2)",
    )
    .bind(now - KEPT)
    .bind(BATCH)
    .execute(&mut **tx)
    .await?;
    Ok(gone.rows_affected())
}
