use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{SiteId, WorkerId};
use uuid::Uuid;

use crate::domain::{Binding, BindingEnd, WechatUserId};

use super::{guarded, uuids};

struct Row {
    binding_id: Uuid,
    worker_id: Uuid,
    wechat_user_id: Uuid,
    bound_at: DateTime<Utc>,
}

impl Row {
    fn binding(self) -> Binding {
        let user = WechatUserId(self.wechat_user_id);
        Binding {
            id: self.binding_id.into(),
            worker: self.worker_id.into(),
            user,
            bound_at: self.bound_at,
        }
    }
}

/// The worker's active binding.
pub(crate) async fn of_worker(
    tx: &mut Tx,
    worker: WorkerId,
) -> Result<Option<Binding>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT binding_id, worker_id, wechat_user_id, bound_at FROM directory.bindings
         WHERE worker_id = $1 AND ended_at IS NULL",
        worker.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(Row::binding))
}

/// The user's active binding.
pub(crate) async fn of_user(
    tx: &mut Tx,
    user: WechatUserId,
) -> Result<Option<Binding>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT binding_id, worker_id, wechat_user_id, bound_at FROM directory.bindings
         WHERE wechat_user_id = $1 AND ended_at IS NULL",
        user.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(Row::binding))
}

/// The unique indexes refuse a second active one of either side.
pub(crate) async fn insert(tx: &mut Tx, binding: &Binding) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO directory.bindings (binding_id, worker_id, wechat_user_id, bound_at) VALUES ($1, $2, $3, $4)",
        binding.id.as_uuid(),
        binding.worker.as_uuid(),
        binding.user.0,
        binding.bound_at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// [`StoreError::Conflict`] when it has ended already.
pub(crate) async fn end(
    tx: &mut Tx,
    binding: &Binding,
    because: BindingEnd,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE directory.bindings SET ended_at = $2, ended_because = $3 WHERE binding_id = $1 AND ended_at IS NULL",
        binding.id.as_uuid(),
        at,
        because.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, 1)
}

/// The last binding of two, whether it lasts or not.
#[derive(Debug)]
pub(crate) struct Last {
    /// None while it lasts.
    pub ended_because: Option<String>,
}

/// The last binding of these two, if there ever was one.
pub(crate) async fn last(
    tx: &mut Tx,
    worker: WorkerId,
    user: WechatUserId,
) -> Result<Option<Last>, StoreError> {
    let last = sqlx::query_as!(
        Last,
        "SELECT ended_because FROM directory.bindings WHERE worker_id = $1 AND wechat_user_id = $2
         ORDER BY ended_at DESC NULLS FIRST LIMIT 1",
        worker.as_uuid(),
        user.0,
    );
    Ok(last.fetch_optional(&mut **tx).await?)
}

/// A binding that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub because: String,
    pub at: DateTime<Utc>,
}

/// The binding of the user that ended last.
pub(crate) async fn last_ended(
    tx: &mut Tx,
    user: WechatUserId,
) -> Result<Option<Ended>, StoreError> {
    let ended = sqlx::query_as!(
        Ended,
        r#"SELECT ended_because AS "because!", ended_at AS "at!" FROM directory.bindings
         WHERE wechat_user_id = $1 AND ended_at IS NOT NULL
         ORDER BY ended_at DESC LIMIT 1"#,
        user.0,
    );
    Ok(ended.fetch_optional(&mut **tx).await?)
}

/// The sites that people are on; of whoever is on none any more, those they were on.
pub(crate) async fn sites_of(
    tx: &mut Tx,
    workers: &[WorkerId],
) -> Result<Vec<(SiteId, WorkerId)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT e.site_id, e.worker_id FROM directory.engagements e
         WHERE e.worker_id = ANY($1) AND (e.left_at IS NULL OR NOT EXISTS
             (SELECT FROM directory.engagements n WHERE n.worker_id = e.worker_id AND n.left_at IS NULL))
         ORDER BY e.site_id, e.worker_id",
        &uuids(workers),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.site_id.into(), row.worker_id.into())).collect())
}
