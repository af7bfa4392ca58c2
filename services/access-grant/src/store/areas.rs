use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AccessGroupId, AreaId, DailyTicketId, SiteId};

use super::{signed, uuids};

/// Keeps a version of an area; the same one again changes nothing and answers `false`.
pub async fn keep(
    tx: &mut Tx,
    area: AreaId,
    version: u64,
    site: SiteId,
    effective_at: DateTime<Utc>,
    group: Option<&AccessGroupId>,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query!(
        "INSERT INTO access_grant.area_versions (area_id, version, site_id, effective_at, access_group_id)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (area_id, version) DO NOTHING",
        area.as_uuid(),
        signed(version),
        site.as_uuid(),
        effective_at,
        group.map(AccessGroupId::as_str),
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// The groups of these areas, as they now are.
pub async fn groups(
    tx: &mut Tx,
    areas: &[AreaId],
) -> Result<BTreeMap<AreaId, AccessGroupId>, StoreError> {
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (area_id) area_id, access_group_id FROM access_grant.area_versions
         WHERE area_id = ANY($1) ORDER BY area_id, version DESC",
        &uuids(areas),
    )
    .fetch_all(&mut **tx)
    .await?;
    let known = rows.into_iter().filter_map(|row| Some((row.area_id, row.access_group_id?)));
    known
        .map(|(area, group)| {
            let group = AccessGroupId::parse(&group)
                .map_err(|_| StoreError::corrupt("area_versions", area))?;
            Ok((area.into(), group))
        })
        .collect()
}

/// Days that have live grants for an area.
pub async fn days_with_grants(tx: &mut Tx, area: AreaId) -> Result<Vec<DailyTicketId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT DISTINCT daily_ticket_id FROM access_grant.grants WHERE area_id = $1 AND status <> 'REVOKED'",
        area.as_uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids.into_iter().map(DailyTicketId::from_uuid).collect())
}

/// Every group an area has or that a grant still names: what the doors are read for.
pub async fn all_groups(tx: &mut Tx) -> Result<Vec<AccessGroupId>, StoreError> {
    let rows = sqlx::query_scalar!(
        r#"SELECT access_group_id AS "group!" FROM access_grant.area_versions WHERE access_group_id IS NOT NULL
           UNION SELECT access_group_id FROM access_grant.grants
                 WHERE access_group_id IS NOT NULL AND status <> 'REVOKED'
           ORDER BY 1"#,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|group| {
            AccessGroupId::parse(group).map_err(|_| StoreError::corrupt("area_versions", group))
        })
        .collect()
}
