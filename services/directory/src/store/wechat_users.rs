use chrono::{DateTime, Utc};
use service::{StoreError, Tx};

use crate::domain::WechatUserId;

/// A WeChat user as kept: both texts sealed for this very record.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub id: WechatUserId,
    pub openid_sealed: Vec<u8>,
    /// Under each key, the current one's first.
    pub openid_indexes: Vec<Vec<u8>>,
    pub unionid_sealed: Option<Vec<u8>>,
}

/// Keeps a user who is new; answers the one there is.
pub(crate) async fn keep(
    tx: &mut Tx,
    user: &NewUser,
    at: DateTime<Utc>,
) -> Result<WechatUserId, StoreError> {
    if let Some(kept) = find(tx, &user.openid_indexes).await? {
        return Ok(kept);
    }
    let inserted = sqlx::query!(
        "INSERT INTO directory.wechat_users (wechat_user_id, openid_sealed, openid_index, unionid_sealed, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (openid_index) DO NOTHING",
        user.id.0,
        user.openid_sealed,
        user.openid_indexes.first().map(Vec::as_slice),
        user.unionid_sealed,
        at,
    )
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(user.id);
    }
    // Another call kept them in that moment.
    find(tx, &user.openid_indexes).await?.ok_or(StoreError::Conflict)
}

/// Keeps the unionid of a user who came without one before: WeChat gives none until the mini-program belongs to an open
/// platform. A row is under one key: where that is another, it waits until they come again and both are the same.
pub(crate) async fn keep_unionid(
    tx: &mut Tx,
    user: WechatUserId,
    sealed: &[u8],
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE directory.wechat_users SET unionid_sealed = $2
         WHERE wechat_user_id = $1 AND unionid_sealed IS NULL
             AND get_byte(openid_sealed, 0) = get_byte($2::bytea, 0)",
        user.0,
        sealed,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn find(tx: &mut Tx, openids: &[Vec<u8>]) -> Result<Option<WechatUserId>, StoreError> {
    let id = sqlx::query_scalar!(
        "SELECT wechat_user_id FROM directory.wechat_users WHERE openid_index = ANY($1)",
        openids,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(id.map(WechatUserId))
}

/// Holds other bindings of this user back until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, user: WechatUserId) -> Result<(), StoreError> {
    sqlx::query!("SELECT FROM directory.wechat_users WHERE wechat_user_id = $1 FOR UPDATE", user.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
