use std::collections::BTreeSet;

use service::{StoreError, Tx};
use types::{AccessGroupId, AreaId, SiteId};

use super::{signed, uuids};
use crate::domain::Area;

/// Keeps the newest version of an area; older ones and repeats change nothing.
pub(crate) async fn keep(tx: &mut Tx, area: &Area) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO device.areas AS held (area_id, site_id, access_group_id, active, version)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (area_id) DO UPDATE
         SET access_group_id = excluded.access_group_id, active = excluded.active, version = excluded.version
         WHERE held.version < excluded.version",
        area.id.as_uuid(),
        area.site.as_uuid(),
        area.access_group.as_ref().map(AccessGroupId::as_str),
        area.active,
        signed(area.version),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Those of `areas` that are known as live areas of the site.
pub(crate) async fn active(
    tx: &mut Tx,
    site: SiteId,
    areas: &[AreaId],
) -> Result<BTreeSet<AreaId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT area_id FROM device.areas WHERE site_id = $1 AND area_id = ANY($2) AND active",
        site.as_uuid(),
        &uuids(areas),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids.into_iter().map(AreaId::from_uuid).collect())
}

/// The access groups of live areas, sorted; areas without one add nothing.
pub(crate) async fn groups(
    tx: &mut Tx,
    site: SiteId,
    areas: &[AreaId],
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT access_group_id AS "group!" FROM device.areas
           WHERE site_id = $1 AND area_id = ANY($2) AND active AND access_group_id IS NOT NULL
           ORDER BY 1"#,
        site.as_uuid(),
        &uuids(areas),
    )
    .fetch_all(&mut **tx)
    .await?)
}
