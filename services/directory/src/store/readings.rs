//! What each reading of a roster came to.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AccountId, ContractorId, Page, SiteId, WorkerId};
use uuid::Uuid;

use crate::domain::{ReadingEnd, ReadingId, ReadingKind, RosterChange};

use super::rosters::Brought;
use super::{count, uuids};

/// A reading as kept. Counts are of what it has written so far.
#[derive(Debug)]
pub(crate) struct Reading {
    pub id: Uuid,
    pub kind: String,
    pub asked_by: Option<Uuid>,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub outcome: Option<String>,
    pub added: i32,
    pub changed: i32,
    pub unchanged: i32,
    pub gone: i32,
    pub left_out: i32,
}

/// A reading that has ended, and what it brought until then.
#[derive(Debug)]
pub(crate) struct Ended {
    pub reading: ReadingId,
    pub kind: String,
    pub asked_by: Option<Uuid>,
    pub end: ReadingEnd,
    pub brought: Brought,
}

struct Row {
    reading_id: Uuid,
    kind: String,
    asked_by: Option<Uuid>,
    added: i32,
    changed: i32,
    unchanged: i32,
    gone: i32,
    left_out: i32,
}

impl Row {
    fn ended(self, end: ReadingEnd) -> Ended {
        let people = |kept: i32| u32::try_from(kept).unwrap_or_default();
        let brought = Brought {
            added: people(self.added),
            changed: people(self.changed),
            unchanged: people(self.unchanged),
            gone: people(self.gone),
            left_out: people(self.left_out),
        };
        let (reading, kind, asked_by) = (ReadingId(self.reading_id), self.kind, self.asked_by);
        Ended { reading, kind, asked_by, end, brought }
    }
}

/// Writes down that a reading began. Those of the site that have not ended never will: they are overtaken, and answered.
pub(crate) async fn begin(
    tx: &mut Tx,
    site: SiteId,
    (reading, kind): (ReadingId, ReadingKind),
    asked_by: Option<AccountId>,
    at: DateTime<Utc>,
) -> Result<Vec<Ended>, StoreError> {
    let overtaken = sqlx::query_as!(
        Row,
        "UPDATE directory.roster_readings SET ended_at = $2, outcome = $3 WHERE site_id = $1 AND ended_at IS NULL
         RETURNING reading_id, kind, asked_by, added, changed, unchanged, gone, left_out",
        site.as_uuid(),
        at,
        ReadingEnd::Overtaken.as_str(),
    )
    .fetch_all(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO directory.roster_readings (reading_id, site_id, kind, asked_by, started_at)
         VALUES ($1, $2, $3, $4, $5)",
        reading.0,
        site.as_uuid(),
        kind.as_str(),
        asked_by.map(AccountId::as_uuid),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(overtaken.into_iter().map(|row| row.ended(ReadingEnd::Overtaken)).collect())
}

/// Counts what a reading has written, in the transaction that writes it.
pub(crate) async fn tally(
    tx: &mut Tx,
    reading: ReadingId,
    brought: Brought,
) -> Result<(), StoreError> {
    let Brought { added, changed, unchanged, gone, left_out } = brought;
    sqlx::query!(
        "UPDATE directory.roster_readings SET added = added + $2, changed = changed + $3, unchanged = unchanged + $4,
             gone = gone + $5, left_out = left_out + $6
         WHERE reading_id = $1",
        reading.0,
        count(added),
        count(changed),
        count(unchanged),
        count(gone),
        count(left_out),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends a reading; `None` where it has ended.
pub(crate) async fn end(
    tx: &mut Tx,
    reading: ReadingId,
    end: ReadingEnd,
    at: DateTime<Utc>,
) -> Result<Option<Ended>, StoreError> {
    let ended = sqlx::query_as!(
        Row,
        "UPDATE directory.roster_readings SET ended_at = $2, outcome = $3 WHERE reading_id = $1 AND ended_at IS NULL
         RETURNING reading_id, kind, asked_by, added, changed, unchanged, gone, left_out",
        reading.0,
        at,
        end.as_str(),
    );
    Ok(ended.fetch_optional(&mut **tx).await?.map(|row| row.ended(end)))
}

/// Writes down whom a reading found new, otherwise or gone. A person is noted once a reading.
pub(crate) async fn note(
    tx: &mut Tx,
    site: SiteId,
    reading: ReadingId,
    found: &[(WorkerId, RosterChange)],
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO directory.roster_changes (reading_id, site_id, worker_id, change)
         SELECT $1::uuid, $2::uuid, * FROM unnest($3::uuid[], $4::text[])
         ON CONFLICT (reading_id, worker_id) DO NOTHING",
        reading.0,
        site.as_uuid(),
        &uuids(&found.iter().map(|(worker, _)| *worker).collect::<Vec<_>>()),
        &found.iter().map(|(_, change)| change.as_str().to_owned()).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Forgets the site's readings that began before `before`, and whom they found.
pub(crate) async fn forget(
    tx: &mut Tx,
    site: SiteId,
    before: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM directory.roster_readings WHERE site_id = $1 AND started_at < $2",
        site.as_uuid(),
        before,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// One page of the site's readings, newest first, and how many there are. `confined_to` counts as
/// [`super::details::changed_by`] lists, without other contractors' people; what cannot be counted so is zero, and who
/// asked is left out.
pub(crate) async fn list(
    tx: &mut Tx,
    site: SiteId,
    confined_to: Option<ContractorId>,
    page: Page,
) -> Result<(Vec<Reading>, u32), StoreError> {
    let readings = sqlx::query_as!(
        Reading,
        r#"SELECT r.reading_id AS id, r.kind, r.started_at, r.ended_at, r.outcome,
               CASE WHEN $4::uuid IS NULL THEN r.asked_by END AS asked_by,
               CASE WHEN $4::uuid IS NULL THEN r.added ELSE own.added END AS "added!",
               CASE WHEN $4::uuid IS NULL THEN r.changed ELSE own.changed END AS "changed!",
               CASE WHEN $4::uuid IS NULL THEN r.unchanged ELSE 0 END AS "unchanged!",
               CASE WHEN $4::uuid IS NULL THEN r.gone ELSE own.gone END AS "gone!",
               CASE WHEN $4::uuid IS NULL THEN r.left_out ELSE 0 END AS "left_out!"
           FROM (
               SELECT * FROM directory.roster_readings WHERE site_id = $1
               ORDER BY started_at DESC, reading_id LIMIT $2 OFFSET $3
           ) AS r
           CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE c.change = 'ADDED')::integer AS added,
                   count(*) FILTER (WHERE c.change = 'CHANGED')::integer AS changed,
                   count(*) FILTER (WHERE c.change = 'GONE')::integer AS gone
               FROM directory.roster_changes c
               JOIN directory.engagements e ON e.worker_id = c.worker_id AND e.site_id = c.site_id
               WHERE $4::uuid IS NOT NULL AND c.reading_id = r.reading_id
                 AND (e.contractor_id = $4 OR (e.contractor_id IS NULL AND NOT e.contractor_unknown))
           ) AS own
           ORDER BY r.started_at DESC, r.reading_id"#,
        site.as_uuid(),
        page.limit(),
        page.offset(),
        confined_to.map(ContractorId::as_uuid),
    )
    .fetch_all(&mut **tx)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM directory.roster_readings WHERE site_id = $1"#,
        site.as_uuid(),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((readings, u32::try_from(total).unwrap_or(u32::MAX)))
}

/// The site of a reading that the scope shows.
pub(crate) async fn site_of(tx: &mut Tx, reading: ReadingId) -> Result<Option<SiteId>, StoreError> {
    let site = sqlx::query_scalar!(
        "SELECT site_id FROM directory.roster_readings WHERE reading_id = $1",
        reading.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(site.map(SiteId::from))
}
