//! What is known of workers beside who they are: times on sites, standing, and what readings found of them.

use chrono::{DateTime, NaiveDate, Utc};
use service::{StoreError, Tx};
use types::{ContractorId, Page, WorkerId};
use uuid::Uuid;

use crate::domain::{ReadingId, RosterChange};

use super::people::Person;

/// A time somebody was, or is, on a site of the scope.
#[derive(Debug)]
pub(crate) struct Spell {
    pub site_id: Uuid,
    pub contractor_id: Option<Uuid>,
    pub trade: String,
    pub team: String,
    pub until: Option<NaiveDate>,
    pub engaged_at: Option<DateTime<Utc>>,
    pub left_at: Option<DateTime<Utc>>,
    /// When the site's roster was last read.
    pub roster_synced_at: Option<DateTime<Utc>>,
}

/// Every engagement of one worker on the scope's sites: those that last first, then the latest to end. `confined_to`
/// leaves out other contractors'.
pub(crate) async fn spells(
    tx: &mut Tx,
    worker: WorkerId,
    confined_to: Option<ContractorId>,
) -> Result<Vec<Spell>, StoreError> {
    let spells = sqlx::query_as!(
        Spell,
        r#"SELECT e.site_id AS "site_id!", e.contractor_id, e.trade AS "trade!", e.team AS "team!", e.until,
               e.engaged_at, e.left_at, r.synced_at AS "roster_synced_at?"
           FROM (
               SELECT site_id, contractor_id, contractor_unknown, trade, team, until, engaged_at, left_at
               FROM directory.engagements WHERE worker_id = $1
               UNION ALL
               SELECT site_id, contractor_id, contractor_unknown, trade, team, until, engaged_at, left_at
               FROM directory.past_engagements WHERE worker_id = $1
           ) AS e
           LEFT JOIN directory.roster_syncs r ON r.site_id = e.site_id
           WHERE $2::uuid IS NULL OR e.contractor_id = $2
               OR (e.contractor_id IS NULL AND NOT e.contractor_unknown)
           ORDER BY e.left_at DESC NULLS FIRST, e.engaged_at DESC NULLS LAST, e.site_id"#,
        worker.as_uuid(),
        confined_to.map(ContractorId::as_uuid),
    );
    Ok(spells.fetch_all(&mut **tx).await?)
}

/// What else is known of one worker: their status, whether there is a picture, and since when they are bound.
#[derive(Debug)]
pub(crate) struct Standing {
    pub status: String,
    pub has_photo: bool,
    pub bound_at: Option<DateTime<Utc>>,
}

pub(crate) async fn standing(
    tx: &mut Tx,
    worker: WorkerId,
) -> Result<Option<Standing>, StoreError> {
    let standing = sqlx::query_as!(
        Standing,
        r#"SELECT w.status, w.photo_url_sealed IS NOT NULL AS "has_photo!", b.bound_at AS "bound_at?"
           FROM directory.workers w
           LEFT JOIN directory.bindings b ON b.worker_id = w.worker_id AND b.ended_at IS NULL
           WHERE w.worker_id = $1"#,
        worker.as_uuid(),
    );
    Ok(standing.fetch_optional(&mut **tx).await?)
}

/// One page of those a reading found new, otherwise or gone, with what it found of each, and how many there are.
/// `confined_to` leaves out other contractors' people.
pub(crate) async fn changed_by(
    tx: &mut Tx,
    reading: ReadingId,
    change: Option<RosterChange>,
    confined_to: Option<ContractorId>,
    page: Page,
) -> Result<(Vec<(String, Person)>, u32), StoreError> {
    let change = change.map(RosterChange::as_str);
    let confined_to = confined_to.map(ContractorId::as_uuid);
    let rows = sqlx::query!(
        r#"SELECT c.change, w.worker_id, w.name_sealed, w.id_no_sealed, w.phone_sealed, w.face_id, e.contractor_id,
               e.contractor_id IS NULL AND e.contractor_unknown AS "contractor_unknown!", e.trade, e.team,
               b.binding_id IS NOT NULL AS "bound!"
           FROM directory.roster_changes c
           JOIN directory.workers w ON w.worker_id = c.worker_id
           JOIN directory.engagements e ON e.worker_id = c.worker_id AND e.site_id = c.site_id
           LEFT JOIN directory.bindings b ON b.worker_id = w.worker_id AND b.ended_at IS NULL
           WHERE c.reading_id = $1 AND ($2::text IS NULL OR c.change = $2)
             AND ($3::uuid IS NULL OR e.contractor_id = $3
                 OR (e.contractor_id IS NULL AND NOT e.contractor_unknown))
           ORDER BY c.change, w.worker_id LIMIT $4 OFFSET $5"#,
        reading.0,
        change,
        confined_to,
        page.limit(),
        page.offset(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM directory.roster_changes c
           JOIN directory.engagements e ON e.worker_id = c.worker_id AND e.site_id = c.site_id
           WHERE c.reading_id = $1 AND ($2::text IS NULL OR c.change = $2)
             AND ($3::uuid IS NULL OR e.contractor_id = $3
                 OR (e.contractor_id IS NULL AND NOT e.contractor_unknown))"#,
        reading.0,
        change,
        confined_to,
    )
    .fetch_one(&mut **tx)
    .await?;
    let found = rows.into_iter().map(|row| {
        let person = Person {
            worker_id: row.worker_id,
            name_sealed: row.name_sealed,
            id_no_sealed: row.id_no_sealed,
            phone_sealed: row.phone_sealed,
            face_id: row.face_id,
            contractor_id: row.contractor_id,
            contractor_unknown: row.contractor_unknown,
            trade: row.trade,
            team: row.team,
            bound: row.bound,
        };
        (row.change, person)
    });
    Ok((found.collect(), u32::try_from(total).unwrap_or(u32::MAX)))
}
