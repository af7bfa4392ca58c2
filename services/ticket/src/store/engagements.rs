//! Whose engagement on a site ends or has ended: directory's facts.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use service::{StoreError, Tx};
use types::{SiteId, WorkerId};
use uuid::Uuid;

use crate::domain::LastDay;

/// Keeps what a fact says of a worker: on each of `ends` there is a last day, elsewhere none. That the fact is the
/// newest [`super::bindings::keep`] has said, and holds the worker.
pub async fn keep(
    tx: &mut Tx,
    worker: WorkerId,
    ends: &BTreeMap<SiteId, LastDay>,
) -> Result<(), StoreError> {
    let sites: Vec<Uuid> = ends.keys().map(|site| site.as_uuid()).collect();
    sqlx::query!(
        "DELETE FROM ticket.engagement_ends WHERE worker_id = $1 AND site_id <> ALL ($2)",
        worker.as_uuid(),
        &sites,
    )
    .execute(&mut **tx)
    .await?;
    if ends.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO ticket.engagement_ends AS e (worker_id, site_id, until, gone)
         SELECT $1, told.* FROM UNNEST($2::uuid[], $3::date[], $4::boolean[]) AS told
         ON CONFLICT (worker_id, site_id) DO UPDATE SET until = EXCLUDED.until, gone = EXCLUDED.gone",
        worker.as_uuid(),
        &sites,
        &ends.values().map(|last| last.date).collect::<Vec<_>>(),
        &ends.values().map(|last| last.gone).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps what directory answered of these workers, where no fact has come about them yet: who is in `until` has a last
/// date, who is not has none. [`super::bindings::learn`] comes first and holds them.
pub async fn learn(
    tx: &mut Tx,
    site: SiteId,
    asked: &[WorkerId],
    until: &BTreeMap<WorkerId, NaiveDate>,
) -> Result<(), StoreError> {
    let asked: Vec<Uuid> = asked.iter().map(|worker| worker.as_uuid()).collect();
    let workers: Vec<Uuid> = until.keys().map(|worker| worker.as_uuid()).collect();
    sqlx::query!(
        "DELETE FROM ticket.engagement_ends e USING ticket.worker_bindings b
         WHERE e.site_id = $1 AND e.worker_id = ANY ($2) AND e.worker_id <> ALL ($3)
           AND b.worker_id = e.worker_id AND b.version = 0",
        site.as_uuid(),
        &asked,
        &workers,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO ticket.engagement_ends AS e (worker_id, site_id, until)
         SELECT told.worker_id, $1, told.until FROM UNNEST($2::uuid[], $3::date[]) AS told (worker_id, until)
         JOIN ticket.worker_bindings b ON b.worker_id = told.worker_id AND b.version = 0 ORDER BY told.worker_id
         ON CONFLICT (worker_id, site_id) DO UPDATE SET until = EXCLUDED.until WHERE e.until <> EXCLUDED.until",
        site.as_uuid(),
        &workers,
        &until.values().copied().collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Last days of these workers on the site, where one is known.
pub async fn last_days(
    tx: &mut Tx,
    site: SiteId,
    workers: &[WorkerId],
) -> Result<BTreeMap<WorkerId, LastDay>, StoreError> {
    let workers: Vec<Uuid> = workers.iter().map(|worker| worker.as_uuid()).collect();
    let rows = sqlx::query!(
        "SELECT worker_id, until, gone FROM ticket.engagement_ends WHERE site_id = $1 AND worker_id = ANY ($2)",
        site.as_uuid(),
        &workers,
    )
    .fetch_all(&mut **tx)
    .await?;
    let last = |date, gone| LastDay { date, gone };
    Ok(rows.into_iter().map(|row| (row.worker_id.into(), last(row.until, row.gone))).collect())
}
