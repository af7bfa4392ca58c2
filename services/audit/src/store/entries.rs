//! Rows of the log and the heads of its chains.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{EventId, SiteId};
use uuid::Uuid;

use crate::domain::{Entry, Head, Sealed};

/// Appends entries behind their sites' heads, which stay locked until the transaction ends.
pub(crate) async fn append(tx: &mut Tx, entries: Vec<Entry>) -> Result<(), StoreError> {
    let mut heads = heads(tx, &entries).await?;
    let mut sealed = Vec::with_capacity(entries.len());
    for entry in entries {
        let head = heads.entry(entry.site).or_default();
        let next = head.seal(entry);
        *head = Head { position: next.position, hash: next.hash };
        sealed.push(next);
    }
    insert(tx, &sealed).await?;
    let sites: Vec<Uuid> = heads.keys().map(|site| site.as_uuid()).collect();
    let positions =
        heads.values().map(|head| number(head.position)).collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<Vec<u8>> = heads.values().map(|head| head.hash.to_vec()).collect();
    sqlx::query!(
        "UPDATE audit.heads SET position = given.position, hash = given.hash
         FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS given (site_id, position, hash)
         WHERE heads.site_id = given.site_id",
        &sites,
        &positions,
        &hashes,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The heads of the entries' sites, made where they are missing. Locked in one order, so that two who append do not
/// wait for each other.
async fn heads(tx: &mut Tx, entries: &[Entry]) -> Result<BTreeMap<SiteId, Head>, StoreError> {
    let sites: BTreeSet<Uuid> = entries.iter().map(|entry| entry.site.as_uuid()).collect();
    let sites: Vec<Uuid> = sites.into_iter().collect();
    sqlx::query!(
        "INSERT INTO audit.heads (site_id, position, hash)
         SELECT site_id, 0, $2 FROM unnest($1::uuid[]) AS given (site_id) ON CONFLICT (site_id) DO NOTHING",
        &sites,
        &crate::domain::ORIGIN,
    )
    .execute(&mut **tx)
    .await?;
    let rows = sqlx::query!(
        "SELECT site_id, position, hash FROM audit.heads WHERE site_id = ANY($1) ORDER BY site_id FOR UPDATE",
        &sites,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let head = Head { position: place(row.position)?, hash: hash(row.site_id, row.hash)? };
            Ok((SiteId::from_uuid(row.site_id), head))
        })
        .collect()
}

async fn insert(tx: &mut Tx, sealed: &[Sealed]) -> Result<(), StoreError> {
    let texts = |read: fn(&Entry) -> &str| -> Vec<String> {
        sealed.iter().map(|sealed| read(&sealed.entry).to_owned()).collect()
    };
    let sites: Vec<Uuid> = sealed.iter().map(|sealed| sealed.entry.site.as_uuid()).collect();
    let events: Vec<Uuid> = sealed.iter().map(|sealed| sealed.entry.event_id.as_uuid()).collect();
    let positions =
        sealed.iter().map(|sealed| number(sealed.position)).collect::<Result<Vec<_>, _>>()?;
    let times: Vec<DateTime<Utc>> = sealed.iter().map(|sealed| sealed.entry.at).collect();
    let previous: Vec<Vec<u8>> =
        sealed.iter().map(|sealed| sealed.previous_hash.to_vec()).collect();
    let hashes: Vec<Vec<u8>> = sealed.iter().map(|sealed| sealed.hash.to_vec()).collect();
    sqlx::query!(
        "INSERT INTO audit.entries (site_id, position, event_id, event_type, actor, role, action, target_type,
             target_id, before, after, reason, address, trace_id, at, previous_hash, hash)
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
             $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
             $15::timestamptz[], $16::bytea[], $17::bytea[])",
        &sites,
        &positions,
        &events,
        &texts(|entry| &entry.event_type),
        &texts(|entry| &entry.actor),
        &texts(|entry| &entry.role),
        &texts(|entry| &entry.action),
        &texts(|entry| &entry.target_type),
        &texts(|entry| &entry.target_id),
        &texts(|entry| &entry.before),
        &texts(|entry| &entry.after),
        &texts(|entry| &entry.reason),
        &texts(|entry| &entry.address),
        &texts(|entry| &entry.trace_id),
        &times,
        &previous,
        &hashes,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) site_id: Uuid,
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    pub(super) event_type: String,
    pub(super) actor: String,
    pub(super) role: String,
    pub(super) action: String,
    pub(super) target_type: String,
    pub(super) target_id: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) reason: String,
    pub(super) address: String,
    pub(super) trace_id: String,
    pub(super) at: DateTime<Utc>,
    pub(super) previous_hash: Vec<u8>,
    pub(super) hash: Vec<u8>,
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

/// The kept head of every chain.
pub(crate) async fn all_heads(tx: &mut Tx) -> Result<BTreeMap<SiteId, Head>, StoreError> {
    let rows = sqlx::query!("SELECT site_id, position, hash FROM audit.heads")
        .fetch_all(&mut **tx)
        .await?;
    rows.into_iter()
        .map(|row| {
            let head = Head { position: place(row.position)?, hash: hash(row.site_id, row.hash)? };
            Ok((SiteId::from_uuid(row.site_id), head))
        })
        .collect()
}

/// The first and the last place of a site's entries; none where there are none.
pub(crate) async fn ends(tx: &mut Tx, site: SiteId) -> Result<Option<(u64, u64)>, StoreError> {
    let row = sqlx::query!(
        "SELECT min(position) AS first, max(position) AS last FROM audit.entries WHERE site_id = $1",
        site.as_uuid(),
    )
    .fetch_one(&mut **tx)
    .await?;
    row.first.zip(row.last).map(|(first, last)| Ok((place(first)?, place(last)?))).transpose()
}

/// The last place of every site that has entries. Each is one step down the index, however many entries there are.
pub(crate) async fn all_lasts(tx: &mut Tx) -> Result<BTreeMap<SiteId, u64>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE lasts AS (
             (SELECT site_id, position FROM audit.entries ORDER BY site_id DESC, position DESC LIMIT 1)
             UNION ALL
             SELECT next.site_id, next.position FROM lasts CROSS JOIN LATERAL (
                 SELECT site_id, position FROM audit.entries WHERE site_id < lasts.site_id
                 ORDER BY site_id DESC, position DESC LIMIT 1
             ) AS next
         )
         SELECT site_id AS "site_id!", position AS "position!" FROM lasts"#
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(|row| Ok((SiteId::from_uuid(row.site_id), place(row.position)?))).collect()
}

/// The first and the last place of a site's entries of a time; none where there are none.
pub(crate) async fn range(
    tx: &mut Tx,
    site: SiteId,
    times: Range<DateTime<Utc>>,
) -> Result<Option<(u64, u64)>, StoreError> {
    // Of a sum there is no index to be walked from its end: the walk would pass every entry outside of the time.
    let row = sqlx::query!(
        "SELECT min(position + 0) AS first, max(position + 0) AS last FROM audit.entries
         WHERE site_id = $1 AND at >= $2 AND at < $3",
        site.as_uuid(),
        times.start,
        times.end,
    )
    .fetch_one(&mut **tx)
    .await?;
    row.first.zip(row.last).map(|(first, last)| Ok((place(first)?, place(last)?))).transpose()
}

/// The hash of the entry at a place; the origin's before the first.
pub(crate) async fn hash_at(tx: &mut Tx, site: SiteId, at: u64) -> Result<[u8; 32], StoreError> {
    let site = site.as_uuid();
    let position = number(at)?;
    let found = sqlx::query_scalar!(
        "SELECT hash FROM audit.entries WHERE site_id = $1 AND position = $2",
        site,
        position,
    )
    .fetch_optional(&mut **tx)
    .await?;
    found.map_or(Ok(crate::domain::ORIGIN), |bytes| hash(site, bytes))
}

pub(super) fn sealed(row: Row) -> Result<Sealed, StoreError> {
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

pub(super) fn number(position: u64) -> Result<i64, StoreError> {
    i64::try_from(position).map_err(|_| StoreError::corrupt("audit.entries", position))
}
