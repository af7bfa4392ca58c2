//! Rows of the log and the heads of its chains.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{EventId, SiteId};
use uuid::Uuid;

use crate::domain::{Entry, Head, Sealed};

/// Appends an entry behind its site's head, which stays locked until the transaction ends.
pub(crate) async fn append(tx: &mut Tx, entry: Entry) -> Result<(), StoreError> {
    let site = entry.site.as_uuid();
    sqlx::query!(
        "INSERT INTO audit.heads (site_id, position, hash) VALUES ($1, 0, $2) ON CONFLICT (site_id) DO NOTHING",
        site,
        &crate::domain::ORIGIN,
    )
    .execute(&mut **tx)
    .await?;
    let row =
        sqlx::query!("SELECT position, hash FROM audit.heads WHERE site_id = $1 FOR UPDATE", site)
            .fetch_one(&mut **tx)
            .await?;
    let head = Head { position: place(row.position)?, hash: hash(site, row.hash)? };
    let sealed = head.seal(entry);
    insert(tx, &sealed).await?;
    sqlx::query!(
        "UPDATE audit.heads SET position = $2, hash = $3 WHERE site_id = $1",
        site,
        number(sealed.position)?,
        &sealed.hash,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert(tx: &mut Tx, sealed: &Sealed) -> Result<(), StoreError> {
    let entry = &sealed.entry;
    sqlx::query!(
        "INSERT INTO audit.entries (site_id, position, event_id, event_type, actor, role, action, target_type,
             target_id, before, after, reason, address, trace_id, at, previous_hash, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        entry.site.as_uuid(),
        number(sealed.position)?,
        entry.event_id.as_uuid(),
        entry.event_type,
        entry.actor,
        entry.role,
        entry.action,
        entry.target_type,
        entry.target_id,
        entry.before,
        entry.after,
        entry.reason,
        entry.address,
        entry.trace_id,
        entry.at,
        &sealed.previous_hash,
        &sealed.hash,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What to look for; empty fields match everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) actor: Option<String>,
    pub(crate) target_id: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    site_id: Uuid,
    position: i64,
    event_id: Uuid,
    event_type: String,
    actor: String,
    role: String,
    action: String,
    target_type: String,
    target_id: String,
    before: String,
    after: String,
    reason: String,
    address: String,
    trace_id: String,
    at: DateTime<Utc>,
    previous_hash: Vec<u8>,
    hash: Vec<u8>,
}

/// The newest entries of a site that match, below `before` when given, newest first.
pub(crate) async fn list(
    tx: &mut Tx,
    site: SiteId,
    filter: &Filter,
    before: Option<u64>,
    limit: i64,
) -> Result<Vec<Sealed>, StoreError> {
    let before = before.map(number).transpose()?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT site_id, position, event_id, event_type, actor, role, action, target_type, target_id, before, after,
             reason, address, trace_id, at, previous_hash, hash
         FROM audit.entries
         WHERE site_id = $1 AND ($2::bigint IS NULL OR position < $2) AND ($3::text IS NULL OR actor = $3)
             AND ($4::text IS NULL OR target_id = $4) AND ($5::text IS NULL OR action = $5)
             AND ($6::timestamptz IS NULL OR at >= $6) AND ($7::timestamptz IS NULL OR at < $7)
         ORDER BY position DESC LIMIT $8",
        site.as_uuid(),
        before,
        filter.actor,
        filter.target_id,
        filter.action,
        filter.from,
        filter.to,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(sealed).collect()
}

/// The entries of a site behind `position`, oldest first.
pub(crate) async fn behind(
    tx: &mut Tx,
    site: SiteId,
    position: u64,
    limit: i64,
) -> Result<Vec<Sealed>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT site_id, position, event_id, event_type, actor, role, action, target_type, target_id, before, after,
             reason, address, trace_id, at, previous_hash, hash
         FROM audit.entries WHERE site_id = $1 AND position > $2 ORDER BY position LIMIT $3",
        site.as_uuid(),
        number(position)?,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(sealed).collect()
}

/// The kept head of a site's chain.
pub(crate) async fn head(tx: &mut Tx, site: SiteId) -> Result<Head, StoreError> {
    let site = site.as_uuid();
    let row = sqlx::query!("SELECT position, hash FROM audit.heads WHERE site_id = $1", site)
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(Head::default()) };
    Ok(Head { position: place(row.position)?, hash: hash(site, row.hash)? })
}

/// Every site that has a chain, or entries whose head is gone.
pub(crate) async fn sites(tx: &mut Tx) -> Result<Vec<SiteId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"SELECT site_id AS "site_id!" FROM audit.heads UNION SELECT DISTINCT site_id FROM audit.entries ORDER BY 1"#
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids.into_iter().map(SiteId::from_uuid).collect())
}

fn sealed(row: Row) -> Result<Sealed, StoreError> {
    let site = row.site_id;
    Ok(Sealed {
        position: place(row.position)?,
        previous_hash: hash(site, row.previous_hash)?,
        hash: hash(site, row.hash)?,
        entry: Entry {
            site: SiteId::from_uuid(site),
            event_id: EventId::from_uuid(row.event_id),
            event_type: row.event_type,
            actor: row.actor,
            role: row.role,
            action: row.action,
            target_type: row.target_type,
            target_id: row.target_id,
            before: row.before,
            after: row.after,
            reason: row.reason,
            address: row.address,
            trace_id: row.trace_id,
            at: row.at,
        },
    })
}

fn hash(site: Uuid, bytes: Vec<u8>) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::corrupt("audit.entries", site))
}

fn place(position: i64) -> Result<u64, StoreError> {
    u64::try_from(position).map_err(|_| StoreError::corrupt("audit.entries", position))
}

fn number(position: u64) -> Result<i64, StoreError> {
    i64::try_from(position).map_err(|_| StoreError::corrupt("audit.entries", position))
}
