use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AccessGroupId, AreaId, SiteId};
use uuid::Uuid;

use crate::domain::{Area, AreaStatus};

use super::{guarded, kept, uuids, version};

struct Row {
    area_id: Uuid,
    site_id: Uuid,
    name: String,
    access_group_id: String,
    status: String,
    access_group_name: String,
    description: String,
    version: i64,
}

impl Row {
    fn area(self) -> Result<Area, StoreError> {
        let corrupt = || StoreError::corrupt("areas", self.area_id);
        Ok(Area {
            id: self.area_id.into(),
            site: self.site_id.into(),
            access_group: AccessGroupId::parse(&self.access_group_id).map_err(|_| corrupt())?,
            status: self.status.parse::<AreaStatus>().map_err(|_| corrupt())?,
            access_group_name: self.access_group_name,
            description: self.description,
            version: version(self.version),
            name: self.name,
        })
    }
}

pub(crate) async fn insert(tx: &mut Tx, area: &Area, at: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO directory.areas (area_id, site_id, name, access_group_id, status, access_group_name,
             description, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        area.id.as_uuid(),
        area.site.as_uuid(),
        area.name,
        area.access_group.as_str(),
        area.status.as_str(),
        area.access_group_name,
        area.description,
        kept(area.version),
        at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes an area that was read at the version before its own.
pub(crate) async fn save(tx: &mut Tx, area: &Area) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE directory.areas SET name = $3, access_group_id = $4, status = $5, access_group_name = $6,
             description = $7, version = $8
         WHERE area_id = $1 AND version = $2",
        area.id.as_uuid(),
        kept(area.version - 1),
        area.name,
        area.access_group.as_str(),
        area.status.as_str(),
        area.access_group_name,
        area.description,
        kept(area.version),
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, 1)
}

/// The areas of the scope by name, which several sites may have; of one site or all.
pub(crate) async fn list(tx: &mut Tx, site: Option<SiteId>) -> Result<Vec<Area>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT area_id, site_id, name, access_group_id, status, access_group_name, description, version
         FROM directory.areas
         WHERE $1::uuid IS NULL OR site_id = $1 ORDER BY name, area_id",
        site.map(SiteId::as_uuid),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Row::area).collect()
}

/// Those of `areas` that belong to the site and are in use.
pub(crate) async fn active(
    tx: &mut Tx,
    site: SiteId,
    areas: &[AreaId],
) -> Result<Vec<Area>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT area_id, site_id, name, access_group_id, status, access_group_name, description, version
         FROM directory.areas
         WHERE site_id = $1 AND area_id = ANY($2) AND status = 'ACTIVE' ORDER BY name",
        site.as_uuid(),
        &uuids(areas),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Row::area).collect()
}

/// Those of `areas` that the scope shows, by id.
pub(crate) async fn named(tx: &mut Tx, areas: &[AreaId]) -> Result<Vec<Area>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT area_id, site_id, name, access_group_id, status, access_group_name, description, version
         FROM directory.areas
         WHERE area_id = ANY($1) ORDER BY area_id",
        &uuids(areas),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Row::area).collect()
}
