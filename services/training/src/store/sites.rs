use types::SiteId;

use super::{Error, Tx, column, count, long_column};
use crate::domain::Pacing;

/// Keeps what a site's checks are like, unless a newer version is known.
pub async fn keep(tx: &mut Tx, site: SiteId, version: u64, pacing: Pacing) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO training.sites (site_id, version, check_min_sec, check_max_sec, check_answer_sec)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (site_id) DO UPDATE SET version = excluded.version, check_min_sec = excluded.check_min_sec,
             check_max_sec = excluded.check_max_sec, check_answer_sec = excluded.check_answer_sec
         WHERE sites.version < excluded.version",
        site.as_uuid(),
        long_column(version),
        column(pacing.min_sec),
        column(pacing.max_sec),
        column(pacing.answer_sec),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A site's pacing; the default while nothing was heard of it.
pub async fn pacing(tx: &mut Tx, site: SiteId) -> Result<Pacing, Error> {
    let row = sqlx::query!(
        "SELECT check_min_sec, check_max_sec, check_answer_sec FROM training.sites WHERE site_id = $1",
        site.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(Pacing::default()) };
    let number = |number| count("sites", site.as_uuid(), number);
    Ok(Pacing {
        min_sec: number(row.check_min_sec)?,
        max_sec: number(row.check_max_sec)?,
        answer_sec: number(row.check_answer_sec)?,
    })
}
