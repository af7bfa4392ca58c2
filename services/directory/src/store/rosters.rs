use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::SiteId;

/// Begins a reading of the site's roster: any earlier one that is still writing is overtaken.
pub(crate) async fn begin(tx: &mut Tx, site: SiteId) -> Result<i64, StoreError> {
    let epoch = sqlx::query_scalar!(
        "INSERT INTO directory.roster_syncs AS held (site_id, epoch, added, changed, gone) VALUES ($1, 1, 0, 0, 0)
         ON CONFLICT (site_id) DO UPDATE SET epoch = held.epoch + 1 RETURNING epoch",
        site.as_uuid(),
    );
    Ok(epoch.fetch_one(&mut **tx).await?)
}

/// Holds the roster for this transaction; `false` when a newer reading has begun.
pub(crate) async fn hold(tx: &mut Tx, site: SiteId, epoch: i64) -> Result<bool, StoreError> {
    let held = sqlx::query_scalar!(
        r#"SELECT epoch = $2 AS "ours!" FROM directory.roster_syncs WHERE site_id = $1 FOR UPDATE"#,
        site.as_uuid(),
        epoch,
    );
    Ok(held.fetch_optional(&mut **tx).await?.unwrap_or(false))
}

/// What a reading brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Brought {
    pub added: u32,
    pub changed: u32,
    pub unchanged: u32,
    pub gone: u32,
}

pub(crate) async fn finish(
    tx: &mut Tx,
    site: SiteId,
    brought: Brought,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let count = |people: u32| i32::try_from(people).unwrap_or(i32::MAX);
    sqlx::query!(
        "UPDATE directory.roster_syncs SET synced_at = $2, added = $3, changed = $4, gone = $5 WHERE site_id = $1",
        site.as_uuid(),
        at,
        count(brought.added),
        count(brought.changed),
        count(brought.gone),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// When the site's roster was last read whole.
pub(crate) async fn synced_at(
    tx: &mut Tx,
    site: SiteId,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let at = sqlx::query_scalar!(
        "SELECT synced_at FROM directory.roster_syncs WHERE site_id = $1",
        site.as_uuid()
    );
    Ok(at.fetch_optional(&mut **tx).await?.flatten())
}
