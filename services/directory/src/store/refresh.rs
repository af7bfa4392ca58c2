use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::AccountId;

use crate::domain::{Family, FamilyEnd, FamilyId, Token};

use super::guarded;

pub(crate) async fn start(
    tx: &mut Tx,
    family: &Family,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO directory.refresh_families (family_id, account_id, started_at) VALUES ($1, $2, $3)",
        family.id.0,
        family.account.as_uuid(),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(crate) async fn add(
    tx: &mut Tx,
    family: FamilyId,
    hash: &[u8],
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO directory.refresh_tokens (token_hash, family_id, expires_at) VALUES ($1, $2, $3)",
        hash,
        family.0,
        expires_at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The token with its family, both locked: the second of two at once sees what the first did.
/// It is looked for by its hash under each key.
pub(crate) async fn lock(tx: &mut Tx, hashes: &[Vec<u8>]) -> Result<Option<Token>, StoreError> {
    let row = sqlx::query!(
        "SELECT f.family_id, f.account_id, f.ended_at, t.expires_at, t.used_at
         FROM directory.refresh_tokens t JOIN directory.refresh_families f ON f.family_id = t.family_id
         WHERE t.token_hash = ANY($1) FOR UPDATE",
        hashes,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Token {
        family: Family {
            id: FamilyId(row.family_id),
            account: row.account_id.into(),
            ended: row.ended_at,
        },
        expires_at: row.expires_at,
        used_at: row.used_at,
    }))
}

/// [`StoreError::Conflict`] when it was used already.
pub(crate) async fn mark_used(
    tx: &mut Tx,
    hashes: &[Vec<u8>],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE directory.refresh_tokens SET used_at = $2 WHERE token_hash = ANY($1) AND used_at IS NULL",
        hashes,
        at,
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, 1)
}

/// Ends a family and answers whose it was; `None` when it had ended or never was.
pub(crate) async fn end(
    tx: &mut Tx,
    family: FamilyId,
    because: FamilyEnd,
    at: DateTime<Utc>,
) -> Result<Option<AccountId>, StoreError> {
    let account = sqlx::query_scalar!(
        "UPDATE directory.refresh_families SET ended_at = $2, ended_because = $3
         WHERE family_id = $1 AND ended_at IS NULL RETURNING account_id",
        family.0,
        at,
        because.as_str(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(account.map(AccountId::from))
}

/// Ends every family of an account but one, or all; how many had not ended.
pub(crate) async fn end_all(
    tx: &mut Tx,
    account: AccountId,
    but: Option<FamilyId>,
    because: FamilyEnd,
    at: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let ended = sqlx::query!(
        "UPDATE directory.refresh_families SET ended_at = $2, ended_because = $3
         WHERE account_id = $1 AND ended_at IS NULL AND ($4::uuid IS NULL OR family_id <> $4)",
        account.as_uuid(),
        at,
        because.as_str(),
        but.map(|family| family.0),
    )
    .execute(&mut **tx)
    .await?;
    Ok(ended.rows_affected())
}

/// Whose sign-in it is, where it has not ended.
pub(crate) async fn live(tx: &mut Tx, family: FamilyId) -> Result<Option<AccountId>, StoreError> {
    let account = sqlx::query_scalar!(
        "SELECT account_id FROM directory.refresh_families WHERE family_id = $1 AND ended_at IS NULL",
        family.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(account.map(AccountId::from))
}

/// Forgets up to `most` tokens that expired before `before`; says how many. One of them that comes back after that is
/// unknown, and no sign that a thief has it: it ends nothing.
pub(crate) async fn forget_tokens(
    tx: &mut Tx,
    before: DateTime<Utc>,
    most: i64,
) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM directory.refresh_tokens WHERE token_hash IN
             (SELECT token_hash FROM directory.refresh_tokens WHERE expires_at < $1 LIMIT $2)",
        before,
        most,
    )
    .execute(&mut **tx)
    .await?;
    Ok(gone.rows_affected())
}

/// Forgets up to `most` sign-ins from before `before` that have no token left; says how many.
pub(crate) async fn forget_families(
    tx: &mut Tx,
    before: DateTime<Utc>,
    most: i64,
) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM directory.refresh_families WHERE family_id IN
             (SELECT family_id FROM directory.refresh_families f WHERE started_at < $1
                  AND NOT EXISTS (SELECT FROM directory.refresh_tokens t WHERE t.family_id = f.family_id) LIMIT $2)",
        before,
        most,
    )
    .execute(&mut **tx)
    .await?;
    Ok(gone.rows_affected())
}
