//! What was known of a site at an instant: the one source of every decision, explanation, pass and outlook.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use decision::{Facts, Person};
use service::{StoreError, Tx};
use types::{AreaId, DailyTicketId, SiteId, WorkerId};

use super::tickets::DayRow;
use super::{devices, trainings, uuids, workers};
use crate::domain::{KnownDay, Picture, Whom};

/// The facts about one person at one area at `at`, as they were known to be true then.
pub async fn facts_as_of(
    tx: &mut Tx,
    site: SiteId,
    area: AreaId,
    whom: &Whom,
    at: DateTime<Utc>,
) -> Result<Facts, StoreError> {
    let (worker, sites) = match whom {
        Whom::Worker(worker) => (*worker, BTreeSet::from([site])),
        Whom::Face(face) => match workers::by_face(tx, face, at).await? {
            Some(known) => known,
            None => return facts_of_nobody(tx, site, area, at).await,
        },
    };
    let mut facts = picture(tx, site, Some(worker), at, at).await?.facts(Some(worker), area);
    // A face of another site's worker is nobody's here.
    if facts.tickets.is_empty() && !sites.contains(&site) {
        facts.person = Person::UnknownFace;
    }
    Ok(facts)
}

/// The facts about a face that nobody has.
pub async fn facts_of_nobody(
    tx: &mut Tx,
    site: SiteId,
    area: AreaId,
    at: DateTime<Utc>,
) -> Result<Facts, StoreError> {
    let failed_areas = devices::failed_areas(tx, site, at).await?;
    Ok(Picture { site, as_of: at, days: Vec::new(), bound: BTreeSet::new(), failed_areas }
        .facts(None, area))
}

/// What was known at `as_of` of the days that are among "today's" at `at`: of one worker, or of everyone on them.
pub async fn picture(
    tx: &mut Tx,
    site: SiteId,
    worker: Option<WorkerId>,
    as_of: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<Picture, StoreError> {
    let rows = match worker {
        Some(worker) => of_worker(tx, site, worker, as_of, at).await?,
        None => of_everyone(tx, site, as_of, at).await?,
    };
    let mut days = Vec::with_capacity(rows.len());
    for row in rows {
        let (day, live) = row.day()?;
        days.push(KnownDay {
            day,
            live,
            trainings: BTreeMap::new(),
            given: BTreeSet::new(),
            proved: BTreeSet::new(),
        });
    }
    let ids: Vec<DailyTicketId> = days.iter().map(|known| known.day.id).collect();
    let mut completed = trainings::of_days(tx, &ids, worker, Some(as_of)).await?;
    for known in &mut days {
        let of_day = completed.remove(&known.day.id).unwrap_or_default();
        known.trainings = of_day.into_iter().map(|training| (training.worker, training)).collect();
    }
    grants(tx, &mut days, &ids, worker, as_of).await?;
    let named: BTreeSet<WorkerId> = match worker {
        Some(worker) => BTreeSet::from([worker]),
        None => days.iter().flat_map(|known| known.day.workers.iter().copied()).collect(),
    };
    let named: Vec<WorkerId> = named.into_iter().collect();
    let bound = workers::bound_at(tx, &named, as_of).await?;
    let failed_areas = devices::failed_areas(tx, site, as_of).await?;
    Ok(Picture { site, as_of, days, bound, failed_areas })
}

/// Where a worker stands: the sites on which they are named on a day that is among "today's" at `now`.
pub async fn sites_of(
    tx: &mut Tx,
    worker: WorkerId,
    now: DateTime<Utc>,
) -> Result<Vec<SiteId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT DISTINCT d.site_id FROM access_grant.ticket_workers w
         JOIN access_grant.day_versions d USING (ticket_id)
         WHERE w.worker_id = $1 AND d.live_start <= $2 AND d.live_end > $2 ORDER BY 1",
        worker.as_uuid(),
        now,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids.into_iter().map(SiteId::from_uuid).collect())
}

async fn of_worker(
    tx: &mut Tx,
    site: SiteId,
    worker: WorkerId,
    as_of: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<Vec<DayRow>, StoreError> {
    let rows = sqlx::query_as!(
        DayRow,
        r#"SELECT t.ticket_id, t.site_id, t.contractor_id, t.status AS ticket_status, t.time_zone, t.area_ids,
                  ARRAY[$2::uuid] AS "worker_ids!", d.daily_ticket_id, d.status, d.live_start, d.live_end,
                  d.window_start, d.window_end, d.deadline_at
           FROM (SELECT ticket_id FROM access_grant.ticket_workers WHERE worker_id = $2 AND site_id = $1) w
           CROSS JOIN LATERAL (SELECT * FROM access_grant.ticket_versions v
                               WHERE v.ticket_id = w.ticket_id AND v.effective_at <= $3
                               ORDER BY v.version DESC LIMIT 1) t
           JOIN access_grant.day_versions d ON d.ticket_id = t.ticket_id AND d.version = t.version
           WHERE $2 = ANY(t.worker_ids) AND d.live_start <= $4 AND d.live_end > $4 AND d.status <> 'DRAFT'
           ORDER BY d.daily_ticket_id"#,
        site.as_uuid(),
        worker.as_uuid(),
        as_of,
        at,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

async fn of_everyone(
    tx: &mut Tx,
    site: SiteId,
    as_of: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<Vec<DayRow>, StoreError> {
    let rows = sqlx::query_as!(
        DayRow,
        r#"SELECT t.ticket_id, t.site_id, t.contractor_id, t.status AS ticket_status, t.time_zone, t.area_ids,
                  t.worker_ids, d.daily_ticket_id, d.status, d.live_start, d.live_end,
                  d.window_start, d.window_end, d.deadline_at
           FROM (SELECT DISTINCT ticket_id FROM access_grant.day_versions
                 WHERE site_id = $1 AND live_start <= $3 AND live_end > $3) w
           CROSS JOIN LATERAL (SELECT * FROM access_grant.ticket_versions v
                               WHERE v.ticket_id = w.ticket_id AND v.effective_at <= $2
                               ORDER BY v.version DESC LIMIT 1) t
           JOIN access_grant.day_versions d ON d.ticket_id = t.ticket_id AND d.version = t.version
           WHERE d.live_start <= $3 AND d.live_end > $3 AND d.status <> 'DRAFT'
           ORDER BY d.daily_ticket_id"#,
        site.as_uuid(),
        as_of,
        at,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

async fn grants(
    tx: &mut Tx,
    days: &mut [KnownDay],
    ids: &[DailyTicketId],
    worker: Option<WorkerId>,
    as_of: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT g.daily_ticket_id, g.worker_id, g.area_id,
                  EXISTS (SELECT FROM access_grant.proofs p
                          WHERE p.grant_id = g.grant_id AND p.proved_at <= $3
                            AND (p.lost_at IS NULL OR p.lost_at > $3)) AS "proved!",
                  (g.revoke_reason IS DISTINCT FROM 'TRAINING_REOPENED' OR g.revoked_at > $3) AS "given!"
           FROM access_grant.grants g
           WHERE g.daily_ticket_id = ANY($1) AND ($2::uuid IS NULL OR g.worker_id = $2) AND g.created_at <= $3"#,
        &uuids(ids),
        worker.map(WorkerId::as_uuid),
        as_of,
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in rows {
        let Some(known) =
            days.iter_mut().find(|known| known.day.id.as_uuid() == row.daily_ticket_id)
        else {
            continue;
        };
        // What a training gave that was reopened since is given no more.
        if row.given {
            known.given.insert(row.worker_id.into());
        }
        if row.proved {
            known.proved.insert((row.worker_id.into(), row.area_id.into()));
        }
    }
    Ok(())
}
