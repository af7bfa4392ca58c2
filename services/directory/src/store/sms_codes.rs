use chrono::{DateTime, Utc};
use service::{StoreError, Tx};

use crate::domain::{SentCode, SmsCode};

/// Puts a new code in force, the tries counted from none, unless the last one is too young: then that one is answered.
pub(crate) async fn replace(
    tx: &mut Tx,
    phone: &[u8],
    code: &[u8],
    now: DateTime<Utc>,
) -> Result<Result<(), SentCode>, StoreError> {
    let result = sqlx::query!(
        "INSERT INTO directory.sms_codes AS held (phone_index, code_index, sent_at, expires_at, tries)
         VALUES ($1, $2, $3, $4, 0)
         ON CONFLICT (phone_index) DO UPDATE SET code_index = excluded.code_index, sent_at = excluded.sent_at,
             expires_at = excluded.expires_at, tries = 0, used_at = NULL
         WHERE held.sent_at <= $5",
        phone,
        code,
        now,
        now + SmsCode::LIFETIME,
        now - SmsCode::PAUSE,
    )
    .execute(&mut **tx)
    .await?;
    if result.rows_affected() == 1 {
        return Ok(Ok(()));
    }
    let sent_at = sqlx::query_scalar!(
        "SELECT sent_at FROM directory.sms_codes WHERE phone_index = $1",
        phone
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Err(SentCode { sent_at }))
}

/// Takes a code back that was not sent.
pub(crate) async fn forget(tx: &mut Tx, phone: &[u8], code: &[u8]) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM directory.sms_codes WHERE phone_index = $1 AND code_index = $2",
        phone,
        code
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Spends one try and answers what to compare with; `None` where no code is in force or none is left.
pub(crate) async fn take_try(
    tx: &mut Tx,
    phone: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let code = sqlx::query_scalar!(
        "UPDATE directory.sms_codes SET tries = tries + 1
         WHERE phone_index = $1 AND used_at IS NULL AND expires_at > $2 AND tries < $3 RETURNING code_index",
        phone,
        now,
        SmsCode::MAX_TRIES,
    );
    Ok(code.fetch_optional(&mut **tx).await?)
}

/// Uses the code up; `false` when another call has.
pub(crate) async fn mark_used(
    tx: &mut Tx,
    phone: &[u8],
    code: &[u8],
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let result = sqlx::query!(
        "UPDATE directory.sms_codes SET used_at = $3 WHERE phone_index = $1 AND code_index = $2 AND used_at IS NULL",
        phone,
        code,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Forgets up to `most` codes that ended before `before`; says how many. A phone's code that was drawn anew meanwhile
/// stays: the row is the same.
pub(crate) async fn forget_old(
    tx: &mut Tx,
    before: DateTime<Utc>,
    most: i64,
) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM directory.sms_codes WHERE expires_at < $1 AND phone_index IN
             (SELECT phone_index FROM directory.sms_codes WHERE expires_at < $1 LIMIT $2)",
        before,
        most,
    )
    .execute(&mut **tx)
    .await?;
    Ok(gone.rows_affected())
}
