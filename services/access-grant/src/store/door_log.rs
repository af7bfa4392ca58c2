//! What changed for pull controllers. A row says that a grant changed; what it now is, is read when it is fetched.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use sqlx::types::Uuid;
use types::{AccessGroupId, GrantId, SiteId};

use super::uuids;

/// Which log it is, and what of it still exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub epoch: Uuid,
    /// Positions up to and with this one are gone.
    pub cut_at: i64,
    /// The last position that is committed.
    pub last: i64,
}

/// Appends changes, in the turn of their site (see [`super::lock`]): positions are committed in their order.
pub async fn append(
    tx: &mut Tx,
    changes: &[(SiteId, AccessGroupId, GrantId)],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sites: Vec<Uuid> = changes.iter().map(|(site, _, _)| site.as_uuid()).collect();
    let groups: Vec<String> = changes.iter().map(|(_, group, _)| group.to_string()).collect();
    let grants: Vec<GrantId> = changes.iter().map(|(_, _, grant)| *grant).collect();
    sqlx::query!(
        "INSERT INTO access_grant.door_changes (site_id, access_group_id, grant_id, changed_at)
         SELECT site_id, access_group_id, grant_id, $4
         FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS change (site_id, access_group_id, grant_id)",
        &sites,
        &groups,
        &uuids(&grants),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How far the log of some groups reaches.
pub async fn extent(tx: &mut Tx, groups: &BTreeSet<AccessGroupId>) -> Result<Extent, StoreError> {
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let row = sqlx::query!(
        r#"SELECT epoch, cut_at, (SELECT coalesce(max(position), cut_at) FROM access_grant.door_changes
                                  WHERE access_group_id = ANY($1)) AS "last!"
           FROM access_grant.door_log"#,
        &groups,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Extent { epoch: row.epoch, cut_at: row.cut_at, last: row.last })
}

/// Up to `limit` grants that changed after a position, each with its last position.
pub async fn after(
    tx: &mut Tx,
    groups: &BTreeSet<AccessGroupId>,
    position: i64,
    limit: i64,
) -> Result<Vec<(i64, GrantId)>, StoreError> {
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"SELECT max(position) AS "position!", grant_id FROM access_grant.door_changes
           WHERE access_group_id = ANY($1) AND position > $2 GROUP BY grant_id ORDER BY 1 LIMIT $3"#,
        &groups,
        position,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.position, row.grant_id.into())).collect())
}

/// Up to `limit` grants that the doors of some groups should hold, after a grant's id.
pub async fn held(
    tx: &mut Tx,
    groups: &BTreeSet<AccessGroupId>,
    after: Option<GrantId>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<GrantId>, StoreError> {
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let ids = sqlx::query_scalar!(
        "SELECT grant_id FROM access_grant.grants
         WHERE access_group_id = ANY($1) AND status <> 'REVOKED' AND face_id IS NOT NULL AND window_end > $4
           AND ($2::uuid IS NULL OR grant_id > $2)
         ORDER BY grant_id LIMIT $3",
        &groups,
        after.map(GrantId::as_uuid),
        limit,
        now,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids.into_iter().map(GrantId::from_uuid).collect())
}

/// Cuts off what changed before an instant. Cursors before the cut are expired from then on.
pub async fn cut(tx: &mut Tx, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let cut = sqlx::query_scalar!(
        "SELECT max(position) FROM access_grant.door_changes WHERE changed_at < $1",
        before
    )
    .fetch_one(&mut **tx)
    .await?;
    let Some(cut) = cut else { return Ok(0) };
    let deleted = sqlx::query!("DELETE FROM access_grant.door_changes WHERE position <= $1", cut)
        .execute(&mut **tx)
        .await?;
    sqlx::query!("UPDATE access_grant.door_log SET cut_at = greatest(cut_at, $1)", cut)
        .execute(&mut **tx)
        .await?;
    Ok(deleted.rows_affected())
}
