//! Workers as decisions need them: keys, engagements, versions. Who they are is in [`super::people`].

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{ContractorId, FaceId, SiteId, SiteZone, WorkerId};
use uuid::Uuid;

use crate::domain::{Departure, Employer, Engagement, Index, Keys, Worker, WorkerStatus};

use super::{guarded, ids, kept, uuids, version};

/// Ids of workers with one of these identity numbers, and of those without any who have one of these names and phones.
pub(crate) async fn find(tx: &mut Tx, keys: &[&Keys]) -> Result<Vec<WorkerId>, StoreError> {
    let id_nos: Vec<Index> = keys.iter().filter_map(|keys| keys.id_no.clone()).collect();
    let without = keys.iter().filter_map(|keys| Some((keys.name.clone(), keys.phone.clone()?)));
    let (names, phones): (Vec<Index>, Vec<Index>) = without.unzip();
    let found = sqlx::query_scalar!(
        r#"SELECT worker_id AS "worker_id!" FROM directory.workers WHERE id_no_index = ANY($1)
           UNION
           SELECT w.worker_id FROM unnest($2::bytea[], $3::bytea[]) AS wanted (name, phone)
           JOIN directory.workers w ON w.name_index = wanted.name AND w.phone_index = wanted.phone
           WHERE w.id_no_index IS NULL"#,
        &id_nos,
        &names,
        &phones,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids(found))
}

/// Holds the workers until the transaction ends, always in the same order. Read them afterwards: what is read while
/// waiting for a lock may be old.
pub(crate) async fn lock(tx: &mut Tx, workers: &[WorkerId]) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT worker_id FROM directory.workers WHERE worker_id = ANY($1) ORDER BY worker_id FOR NO KEY UPDATE",
        &uuids(workers),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(())
}

/// Workers with those of their engagements and departures that the scope shows.
pub(crate) async fn load(tx: &mut Tx, workers: &[WorkerId]) -> Result<Vec<Worker>, StoreError> {
    let mut places = places(tx, workers).await?;
    let rows = sqlx::query!(
        r#"SELECT w.worker_id, w.name_index, w.id_no_index, w.phone_index, w.face_id, w.photo_url_index, w.status,
               w.version,
               EXISTS (SELECT FROM directory.bindings b
                       WHERE b.worker_id = w.worker_id AND b.ended_at IS NULL) AS "bound!"
           FROM directory.workers w WHERE w.worker_id = ANY($1) ORDER BY w.worker_id"#,
        &uuids(workers),
    )
    .fetch_all(&mut **tx)
    .await?;
    let workers = rows.into_iter().map(|row| {
        let corrupt = || StoreError::corrupt("workers", row.worker_id);
        let (engagements, departures) = places.remove(&row.worker_id).unwrap_or_default();
        Ok(Worker {
            id: row.worker_id.into(),
            face: row.face_id.as_deref().map(FaceId::parse).transpose().map_err(|_| corrupt())?,
            photo: row.photo_url_index,
            status: WorkerStatus::parse(&row.status).ok_or_else(corrupt)?,
            engagements,
            departures,
            keys: Keys { name: row.name_index, id_no: row.id_no_index, phone: row.phone_index },
            bound: row.bound,
            version: version(row.version),
        })
    });
    workers.collect()
}

/// Where somebody is, and where they were.
type Places = (Vec<Engagement>, Vec<Departure>);

async fn places(tx: &mut Tx, workers: &[WorkerId]) -> Result<HashMap<Uuid, Places>, StoreError> {
    let rows = sqlx::query!(
        "SELECT e.worker_id, e.site_id, e.contractor_id, e.contractor_unknown, e.trade, e.team, e.until, e.left_at,
             s.time_zone
         FROM directory.engagements e JOIN directory.sites s ON s.site_id = e.site_id
         WHERE e.worker_id = ANY($1) ORDER BY e.site_id",
        &uuids(workers),
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut found: HashMap<Uuid, Places> = HashMap::new();
    for row in rows {
        let contractor = row.contractor_id.map(ContractorId::from);
        let engagement = Engagement {
            site: row.site_id.into(),
            employer: Employer::kept(contractor, row.contractor_unknown),
            trade: row.trade,
            team: row.team,
            until: row.until,
        };
        let (engagements, departures) = found.entry(row.worker_id).or_default();
        match row.left_at {
            None => engagements.push(engagement),
            Some(left_at) => {
                let corrupt = |_| StoreError::corrupt("sites", row.site_id);
                let zone = SiteZone::parse(&row.time_zone).map_err(corrupt)?;
                departures.push(engagement.ended(zone.date_at(left_at)));
            }
        }
    }
    Ok(found)
}

/// A worker to be written, with who they are sealed.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub worker: Worker,
    pub name: Vec<u8>,
    pub id_no: Option<Vec<u8>>,
    pub phone: Option<Vec<u8>>,
    pub photo_url: Option<Vec<u8>>,
}

/// Writes new workers (version 1) and those one version further than they were read.
pub(crate) async fn save(
    tx: &mut Tx,
    people: &[Sealed],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let column = |read: fn(&Sealed) -> Option<Vec<u8>>| people.iter().map(read).collect::<Vec<_>>();
    let result = sqlx::query!(
        "INSERT INTO directory.workers AS held (worker_id, name_sealed, name_index, id_no_sealed, id_no_index,
             phone_sealed, phone_index, face_id, status, version, photo_url_sealed, photo_url_index, created_at)
         SELECT *, $13::timestamptz FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[],
             $6::bytea[], $7::bytea[], $8::text[], $9::text[], $10::bigint[], $11::bytea[], $12::bytea[])
         ON CONFLICT (worker_id) DO UPDATE SET name_sealed = excluded.name_sealed, name_index = excluded.name_index,
             id_no_sealed = excluded.id_no_sealed, id_no_index = excluded.id_no_index,
             phone_sealed = excluded.phone_sealed, phone_index = excluded.phone_index, face_id = excluded.face_id,
             status = excluded.status, version = excluded.version, photo_url_sealed = excluded.photo_url_sealed,
             photo_url_index = excluded.photo_url_index
         WHERE held.version = excluded.version - 1",
        &people.iter().map(|sealed| sealed.worker.id.as_uuid()).collect::<Vec<_>>(),
        &people.iter().map(|sealed| sealed.name.clone()).collect::<Vec<_>>(),
        &people.iter().map(|sealed| sealed.worker.keys.name.clone()).collect::<Vec<_>>(),
        &column(|sealed| sealed.id_no.clone()) as _,
        &column(|sealed| sealed.worker.keys.id_no.clone()) as _,
        &column(|sealed| sealed.phone.clone()) as _,
        &column(|sealed| sealed.worker.keys.phone.clone()) as _,
        &people.iter().map(|sealed| sealed.worker.face.as_ref().map(ToString::to_string)).collect::<Vec<_>>() as _,
        &people.iter().map(|sealed| sealed.worker.status.as_str().to_owned()).collect::<Vec<_>>(),
        &people.iter().map(|sealed| kept(sealed.worker.version)).collect::<Vec<_>>(),
        &column(|sealed| sealed.photo_url.clone()) as _,
        &column(|sealed| sealed.worker.photo.clone()) as _,
        at,
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, people.len())
}

/// Writes status and version of workers one version further than they were read; who they are stays.
pub(crate) async fn save_state(tx: &mut Tx, workers: &[&Worker]) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE directory.workers w SET status = new.status, version = new.version
         FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS new (worker_id, status, version)
         WHERE w.worker_id = new.worker_id AND w.version = new.version - 1",
        &workers.iter().map(|worker| worker.id.as_uuid()).collect::<Vec<_>>(),
        &workers.iter().map(|worker| worker.status.as_str().to_owned()).collect::<Vec<_>>(),
        &workers.iter().map(|worker| kept(worker.version)).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, workers.len())
}

/// Writes the engagements on one site. One that was another, or had ended, becomes a past one.
pub(crate) async fn engage(
    tx: &mut Tx,
    site: SiteId,
    held: &[(WorkerId, &Engagement)],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let contractors: Vec<Option<Uuid>> = held
        .iter()
        .map(|(_, engagement)| engagement.employer.contractor().map(ContractorId::as_uuid))
        .collect();
    sqlx::query!(
        "WITH new AS (
             SELECT * FROM unnest($2::uuid[], $3::uuid[], $8::boolean[], $4::text[], $5::text[], $7::date[])
                 AS new (worker_id, contractor_id, contractor_unknown, trade, team, until)
         ), past AS (
             INSERT INTO directory.past_engagements
                 (worker_id, site_id, contractor_id, contractor_unknown, trade, team, until, engaged_at, left_at)
             SELECT e.worker_id, e.site_id, e.contractor_id, e.contractor_unknown, e.trade, e.team, e.until,
                 e.engaged_at, coalesce(e.left_at, $6)
             FROM directory.engagements e JOIN new ON new.worker_id = e.worker_id
             WHERE e.site_id = $1 AND (e.left_at IS NOT NULL
                 OR (e.contractor_id, e.trade, e.team) IS DISTINCT FROM (new.contractor_id, new.trade, new.team))
         )
         INSERT INTO directory.engagements AS held
             (site_id, worker_id, contractor_id, contractor_unknown, trade, team, until, engaged_at)
         SELECT $1::uuid, new.*, $6::timestamptz FROM new
         ON CONFLICT (site_id, worker_id) DO UPDATE SET contractor_id = excluded.contractor_id,
             contractor_unknown = excluded.contractor_unknown, trade = excluded.trade, team = excluded.team, until = excluded.until, left_at = NULL,
             engaged_at = CASE WHEN held.left_at IS NULL AND (held.contractor_id, held.trade, held.team)
                     IS NOT DISTINCT FROM (excluded.contractor_id, excluded.trade, excluded.team)
                 THEN held.engaged_at ELSE excluded.engaged_at END",
        site.as_uuid(),
        &held.iter().map(|(worker, _)| worker.as_uuid()).collect::<Vec<_>>(),
        &contractors as _,
        &held.iter().map(|(_, engagement)| engagement.trade.clone()).collect::<Vec<_>>(),
        &held.iter().map(|(_, engagement)| engagement.team.clone()).collect::<Vec<_>>(),
        at,
        &held.iter().map(|(_, engagement)| engagement.until).collect::<Vec<_>>() as _,
        &held.iter().map(|(_, engagement)| engagement.employer.is_unknown()).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Who is engaged on the site.
pub(crate) async fn engaged(tx: &mut Tx, site: SiteId) -> Result<Vec<WorkerId>, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT worker_id FROM directory.engagements WHERE site_id = $1 AND left_at IS NULL",
        site.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids(found))
}

/// Ends the engagements of these workers on the site.
pub(crate) async fn disengage(
    tx: &mut Tx,
    site: SiteId,
    workers: &[WorkerId],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE directory.engagements SET left_at = $3
         WHERE site_id = $1 AND worker_id = ANY($2) AND left_at IS NULL",
        site.as_uuid(),
        &uuids(workers),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The active worker somebody says to be: by identity number, else by name and phone where the roster has no number.
/// Each is looked for by its index under any key; names and phones go in pairs.
pub(crate) async fn matching(
    tx: &mut Tx,
    id_nos: &[Index],
    names: &[Index],
    phones: &[Index],
) -> Result<Option<WorkerId>, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT worker_id FROM directory.workers
         WHERE status = 'ACTIVE'
           AND (id_no_index = ANY($1) OR (id_no_index IS NULL AND (name_index, phone_index) IN (
               SELECT * FROM unnest($2::bytea[], $3::bytea[]) AS pair (name, phone) WHERE name IS NOT NULL)))
         ORDER BY id_no_index NULLS LAST LIMIT 1",
        id_nos,
        names,
        phones,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.map(WorkerId::from))
}
