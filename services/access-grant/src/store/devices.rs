use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use decision::Senses;
use service::{StoreError, Tx};
use types::{AreaId, DeviceId, SiteId};

use super::{signed, uuids};

/// Keeps the newest version of a controller.
pub async fn keep(
    tx: &mut Tx,
    device: &DeviceId,
    version: u64,
    site: SiteId,
    areas: &[AreaId],
    direction: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO access_grant.devices AS held (device_id, site_id, area_ids, direction, version)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (device_id) DO UPDATE
         SET area_ids = excluded.area_ids, direction = excluded.direction, version = excluded.version
         WHERE held.version < excluded.version",
        device.as_str(),
        site.as_uuid(),
        &uuids(areas),
        direction,
        signed(version),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Which directions a controller tells apart; one not heard of counts as telling both.
pub async fn senses(tx: &mut Tx, device: &DeviceId) -> Result<Senses, StoreError> {
    let direction = sqlx::query_scalar!(
        "SELECT direction FROM access_grant.devices WHERE device_id = $1",
        device.as_str()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(match direction.as_deref() {
        Some("none") => Senses::None,
        Some("in_only") => Senses::InOnly,
        _ => Senses::Both,
    })
}

/// A sign that a door could decide, or could not, at an instant. Signs may come late and out of order.
pub async fn sign(
    tx: &mut Tx,
    device: &DeviceId,
    site: SiteId,
    area: AreaId,
    failed: bool,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO access_grant.door_signs AS held (device_id, area_id, failed, minute, site_id, last_at)
         VALUES ($1, $2, $3, date_trunc('minute', $4::timestamptz, 'UTC'), $5, $4)
         ON CONFLICT (device_id, area_id, failed, minute) DO UPDATE SET last_at = greatest(held.last_at, excluded.last_at)",
        device.as_str(),
        area.as_uuid(),
        failed,
        at,
        site.as_uuid(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Areas of a site of which every door that gave a sign in the day until `as_of` said last that it cannot decide.
/// Exact to the minute: of several signs of one kind in a minute only the last is kept.
pub async fn failed_areas(
    tx: &mut Tx,
    site: SiteId,
    as_of: DateTime<Utc>,
) -> Result<BTreeSet<AreaId>, StoreError> {
    let rows = sqlx::query_scalar!(
        "SELECT area_id FROM (
             SELECT DISTINCT ON (device_id, area_id) area_id, failed FROM access_grant.door_signs
             WHERE site_id = $1 AND last_at <= $2 AND minute > $2::timestamptz - interval '1 day'
             ORDER BY device_id, area_id, last_at DESC, failed) last_of_door
         GROUP BY area_id HAVING bool_and(failed)",
        site.as_uuid(),
        as_of,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(AreaId::from_uuid).collect())
}
