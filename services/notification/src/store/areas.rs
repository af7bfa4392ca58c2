//! The areas' names: directory's facts.

use service::{StoreError, Tx};
use types::{AreaId, SiteId};
use uuid::Uuid;

/// Keeps what a fact says of an area, unless a newer one is known.
pub(crate) async fn keep(
    tx: &mut Tx,
    area: AreaId,
    site: SiteId,
    name: &str,
    version: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO notification.areas AS a (area_id, site_id, name, version) VALUES ($1, $2, $3, $4)
         ON CONFLICT (area_id) DO UPDATE SET name = EXCLUDED.name, version = EXCLUDED.version
         WHERE a.version < EXCLUDED.version",
        area.as_uuid(),
        site.as_uuid(),
        name,
        version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The names known of these areas, in their order.
pub(crate) async fn names(tx: &mut Tx, areas: &[AreaId]) -> Result<Vec<String>, StoreError> {
    let areas: Vec<Uuid> = areas.iter().map(|area| area.as_uuid()).collect();
    let names = sqlx::query_scalar!(
        "SELECT name FROM notification.areas WHERE area_id = ANY ($1) ORDER BY array_position($1, area_id)",
        &areas,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(names)
}
