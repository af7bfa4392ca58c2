//! How far each site's roster has been read.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::SiteId;
use uuid::Uuid;

use crate::domain::{ReadingKind, Roster};

use super::uuids;

/// When a reading begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begin {
    /// Site time.
    pub at: DateTime<Utc>,
    /// System time: until then it is taken to be under way.
    pub now: DateTime<Utc>,
    pub busy_until: DateTime<Utc>,
    /// Whether one that is under way is overtaken.
    pub overtakes: bool,
}

/// What the real-name system may be asked about a site.
#[derive(Debug)]
pub(crate) struct Project {
    /// Under which code it knows the site; empty where that was not said.
    pub code: String,
    /// Whether the scope has sites besides.
    pub others: bool,
}

/// Held until this transaction ends, so that a reading begins before the code changes or after it.
pub(crate) async fn project(tx: &mut Tx, site: SiteId) -> Result<Option<Project>, StoreError> {
    let project = sqlx::query_as!(
        Project,
        r#"SELECT s.realname_project AS code,
               EXISTS (SELECT FROM directory.sites o WHERE o.site_id <> s.site_id) AS "others!"
           FROM directory.sites s WHERE s.site_id = $1 FOR SHARE OF s"#,
        site.as_uuid(),
    );
    Ok(project.fetch_optional(&mut **tx).await?)
}

/// Begins a reading of the site's roster and answers its number; `None` where one is under way that is not to be
/// overtaken.
pub(crate) async fn begin(
    tx: &mut Tx,
    site: SiteId,
    begin: Begin,
) -> Result<Option<i64>, StoreError> {
    let epoch = sqlx::query_scalar!(
        "INSERT INTO directory.roster_syncs AS held (site_id, epoch, added, changed, gone, tried_at, busy_until)
         VALUES ($1, 1, 0, 0, 0, $2, $3)
         ON CONFLICT (site_id) DO UPDATE SET epoch = held.epoch + 1, tried_at = excluded.tried_at,
             busy_until = excluded.busy_until
         WHERE $4 OR held.busy_until IS NULL OR held.busy_until <= $5
         RETURNING epoch",
        site.as_uuid(),
        begin.at,
        begin.busy_until,
        begin.overtakes,
        begin.now,
    );
    Ok(epoch.fetch_optional(&mut **tx).await?)
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

/// The reading of this number is taken to be under way until then; `false` when a newer one has begun.
pub(crate) async fn renew(
    tx: &mut Tx,
    site: SiteId,
    epoch: i64,
    busy_until: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let renewed = sqlx::query!(
        "UPDATE directory.roster_syncs SET busy_until = $3 WHERE site_id = $1 AND epoch = $2",
        site.as_uuid(),
        epoch,
        busy_until,
    );
    Ok(renewed.execute(&mut **tx).await?.rows_affected() == 1)
}

/// What a reading brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Brought {
    pub added: u32,
    pub changed: u32,
    pub unchanged: u32,
    pub gone: u32,
    /// Rows that tell nobody apart.
    pub left_out: u32,
}

impl Brought {
    /// How many people it says something new of.
    pub(crate) fn news(&self) -> u64 {
        u64::from(self.added) + u64::from(self.changed) + u64::from(self.gone)
    }
}

/// The roster is as the reading says; a whole one that is `settled` needs no other for a day. `read_up_to` is what a
/// whole one says, none too: a roster that is not dated throughout does not tell its changes. Of changes it stays where
/// it is when they do not know better.
pub(crate) async fn finish(
    tx: &mut Tx,
    site: SiteId,
    (kind, settled): (ReadingKind, bool),
    brought: Brought,
    read_up_to: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let whole = kind == ReadingKind::Whole;
    sqlx::query!(
        "UPDATE directory.roster_syncs SET synced_at = $2, added = $3, changed = $4, gone = $5, busy_until = NULL,
             whole_at = CASE WHEN $6 THEN $2 ELSE whole_at END,
             read_up_to = CASE WHEN $8 THEN $7 ELSE coalesce($7, read_up_to) END
         WHERE site_id = $1",
        site.as_uuid(),
        at,
        super::count(brought.added),
        super::count(brought.changed),
        super::count(brought.gone),
        whole && settled,
        read_up_to,
        whole,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Makes the next reading of each of these sites a whole one.
pub(crate) async fn want_whole(tx: &mut Tx, sites: &[SiteId]) -> Result<(), StoreError> {
    sqlx::query!(
        "WITH held AS (SELECT site_id FROM directory.roster_syncs WHERE site_id = ANY($1) ORDER BY site_id FOR UPDATE)
         UPDATE directory.roster_syncs r SET whole_at = NULL FROM held WHERE r.site_id = held.site_id",
        &uuids(sites),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The site's roster is another from now on: a reading that is under way is overtaken, the next one is a whole one.
pub(crate) async fn begin_anew(tx: &mut Tx, site: SiteId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE directory.roster_syncs SET epoch = epoch + 1, whole_at = NULL, read_up_to = NULL, busy_until = NULL
         WHERE site_id = $1",
        site.as_uuid(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The reading of this number is no longer under way.
pub(crate) async fn release(tx: &mut Tx, site: SiteId, epoch: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE directory.roster_syncs SET busy_until = NULL WHERE site_id = $1 AND epoch = $2",
        site.as_uuid(),
        epoch,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// When the site's roster was last read.
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

/// When that of the scope's rosters was last read which is the oldest; one never read has no age.
pub(crate) async fn oldest(tx: &mut Tx) -> Result<Option<DateTime<Utc>>, StoreError> {
    let at = sqlx::query_scalar!("SELECT min(synced_at) FROM directory.roster_syncs");
    Ok(at.fetch_one(&mut **tx).await?)
}

struct Row {
    site_id: Uuid,
    created_at: DateTime<Utc>,
    tried_at: Option<DateTime<Utc>>,
    synced_at: Option<DateTime<Utc>>,
    whole_at: Option<DateTime<Utc>>,
    read_up_to: Option<DateTime<Utc>>,
}

/// How far each site of the scope is, those read longest ago first.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<(SiteId, Roster)>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT s.site_id, s.created_at, r.tried_at AS "tried_at?", r.synced_at AS "synced_at?",
               r.whole_at AS "whole_at?", r.read_up_to AS "read_up_to?"
           FROM directory.sites s LEFT JOIN directory.roster_syncs r ON r.site_id = s.site_id
           ORDER BY r.tried_at NULLS FIRST, s.site_id"#,
    )
    .fetch_all(&mut **tx)
    .await?;
    let roster = |row: Row| {
        let Row { site_id, created_at, tried_at, synced_at, whole_at, read_up_to } = row;
        (site_id.into(), Roster { made_at: created_at, tried_at, synced_at, whole_at, read_up_to })
    };
    Ok(rows.into_iter().map(roster).collect())
}
