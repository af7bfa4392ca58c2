use chrono::{DateTime, Utc};
use service::{StoreError, Tx};

use crate::domain::WechatUserId;

/// A WeChat user as kept: both texts sealed for this very record.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub id: WechatUserId,
    pub openid_sealed: Vec<u8>,
    pub openid_index: Vec<u8>,
    pub unionid_sealed: Option<Vec<u8>>,
}

/// Keeps a user who is new; answers the one there is.
pub(crate) async fn keep(
    tx: &mut Tx,
    user: &NewUser,
    at: DateTime<Utc>,
) -> Result<WechatUserId, StoreError> {
    let inserted = sqlx::query!(
        "INSERT INTO directory.wechat_users (wechat_user_id, openid_sealed, openid_index, unionid_sealed, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (openid_index) DO NOTHING",
        user.id.0,
        user.openid_sealed,
        user.openid_index,
        user.unionid_sealed,
        at,
    )
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(user.id);
    }
    let id = sqlx::query_scalar!(
        "SELECT wechat_user_id FROM directory.wechat_users WHERE openid_index = $1",
        user.openid_index,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(WechatUserId(id))
}

/// Holds other bindings of this user back until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, user: WechatUserId) -> Result<(), StoreError> {
    sqlx::query!("SELECT FROM directory.wechat_users WHERE wechat_user_id = $1 FOR UPDATE", user.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
