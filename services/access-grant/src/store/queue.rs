//! Due grants, taken by one pusher at a time: rows others are at are skipped, and a lease in the system's time keeps
//! them away until the answer is written. A lease that ran out lets another take over; the first then writes nothing.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use sqlx::types::Uuid;
use types::{AccessGroupId, GrantId};

use super::grants::Row;
use super::uuids;
use crate::domain::Grant;

/// Takes up to `limit` grants that are due at `now` and whose doors nobody of this process is at. Revocations first.
pub async fn claim(
    tx: &mut Tx,
    lease: Uuid,
    now: DateTime<Utc>,
    system_now: DateTime<Utc>,
    until: DateTime<Utc>,
    busy: &[AccessGroupId],
    limit: i64,
) -> Result<Vec<Grant>, StoreError> {
    let busy: Vec<String> = busy.iter().map(ToString::to_string).collect();
    let rows = sqlx::query_as!(
        Row,
        "WITH due AS MATERIALIZED (
             SELECT grant_id FROM access_grant.grants
             WHERE due_at <= $3 AND (lease_until IS NULL OR lease_until <= $4)
               AND access_group_id IS NOT NULL AND NOT access_group_id = ANY($5)
             ORDER BY (status = 'REVOKED') DESC, due_at, grant_id LIMIT $6 FOR UPDATE SKIP LOCKED)
         UPDATE access_grant.grants g SET lease_id = $1, lease_until = $2
         FROM due WHERE g.grant_id = due.grant_id RETURNING g.*",
        lease,
        until,
        now,
        system_now,
        &busy,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// A grant and the lease it is under.
#[derive(Debug)]
pub struct Leased {
    pub grant: Grant,
    pub lease: Option<Uuid>,
}

/// These grants and all others of the same workers' days; locked until the transaction ends, so that of two doors'
/// answers the later one sees the earlier.
pub async fn with_siblings(tx: &mut Tx, ids: &[GrantId]) -> Result<Vec<Leased>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM access_grant.grants
         WHERE (daily_ticket_id, worker_id) IN
               (SELECT daily_ticket_id, worker_id FROM access_grant.grants WHERE grant_id = ANY($1))
         ORDER BY grant_id FOR UPDATE",
        &uuids(ids),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| Ok(Leased { lease: row.lease_id, grant: Grant::try_from(row)? }))
        .collect()
}

/// Gives grants back, done or not. Those under another lease stay there.
pub async fn give_back(tx: &mut Tx, lease: Uuid, ids: &[GrantId]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE access_grant.grants SET lease_id = NULL, lease_until = NULL
         WHERE lease_id = $1 AND grant_id = ANY($2)",
        lease,
        &uuids(ids),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Live grants of a group that a door was seen to hold; what a round of reading proves again.
pub async fn proved(tx: &mut Tx, group: &AccessGroupId) -> Result<Vec<Grant>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM access_grant.grants WHERE access_group_id = $1 AND status = 'SYNCED' ORDER BY grant_id",
        group.as_str(),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// Notes that grants were seen again as they should be, unless their aim changed meanwhile.
pub async fn seen_again(
    tx: &mut Tx,
    grants: &[(GrantId, u64)],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = grants.iter().map(|(id, _)| id.as_uuid()).collect();
    let revisions: Vec<i64> = grants.iter().map(|(_, revision)| super::signed(*revision)).collect();
    sqlx::query!(
        "UPDATE access_grant.grants g SET proved_at = $3
         FROM unnest($1::uuid[], $2::bigint[]) AS seen (grant_id, revision)
         WHERE g.grant_id = seen.grant_id AND g.revision = seen.revision AND g.status = 'SYNCED'",
        &ids,
        &revisions,
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How many live grants are not proved.
pub async fn unproved(tx: &mut Tx) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM access_grant.grants WHERE status IN ('PENDING_SYNC', 'SYNC_FAILED')"#,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(count)
}
