use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AreaId, DeviceId, SiteId};
use uuid::Uuid;

use super::{signed, unsigned, uuids};
use crate::domain::{ClockError, Device, Gap, Sequence};

/// A controller's sealed secret and what it is tied to.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) id: Uuid,
    pub(crate) secret: Vec<u8>,
}

struct Row {
    device_id: String,
    site_id: Uuid,
    name: String,
    area_ids: Vec<Uuid>,
    direction: String,
    status: String,
    firmware: String,
    spool: i64,
    last_seen_at: Option<DateTime<Utc>>,
    online_since: Option<DateTime<Utc>>,
    clock_error_ms: i64,
    highest_seq: Option<i64>,
    gap_from: Vec<i64>,
    gap_to: Vec<i64>,
    version: i64,
}

impl TryFrom<Row> for Device {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = &row.device_id;
        let corrupt = || StoreError::corrupt("devices", id);
        let number = |number| unsigned(number, "devices", id);
        let gaps = row.gap_from.iter().zip(&row.gap_to);
        let gaps = gaps.map(|(from, to)| Ok(Gap { from: number(*from)?, to: number(*to)? }));
        if row.area_ids.is_empty() {
            return Err(corrupt());
        }
        Ok(Self {
            id: DeviceId::parse(id).map_err(|_| corrupt())?,
            site: row.site_id.into(),
            areas: row.area_ids.iter().copied().map(AreaId::from_uuid).collect(),
            senses: row.direction.parse().map_err(|_| corrupt())?,
            status: row.status.parse().map_err(|_| corrupt())?,
            spool: number(row.spool)?,
            last_seen_at: row.last_seen_at,
            online_since: row.online_since,
            clock_error: ClockError::from_milliseconds(row.clock_error_ms),
            sequence: Sequence {
                highest: row.highest_seq.map(number).transpose()?,
                gaps: gaps.collect::<Result<_, StoreError>>()?,
            },
            version: number(row.version)?,
            name: row.name,
            firmware: row.firmware,
        })
    }
}

/// Keeps a new controller with its sealed secret. An id that is taken breaks the constraint `devices_pkey`.
pub(crate) async fn insert(
    tx: &mut Tx,
    device: &Device,
    sealed: &Sealed,
    registered_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO device.devices (device_id, site_id, secret_id, secret, name, area_ids, direction, status,
             registered_at, firmware, spool, clock_error_ms, gap_from, gap_to, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '{}', '{}', $13)",
        device.id.as_str(),
        device.site.as_uuid(),
        sealed.id,
        sealed.secret,
        device.name,
        &uuids(&device.areas),
        device.senses.as_str(),
        device.status.as_str(),
        registered_at,
        device.firmware,
        signed(device.spool),
        device.clock_error.milliseconds(),
        signed(device.version),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A controller, locked until the transaction ends: its reports and heartbeats go one after the other.
pub(crate) async fn lock(tx: &mut Tx, id: &DeviceId) -> Result<Option<Device>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT device_id, site_id, name, area_ids, direction, status, firmware, spool, last_seen_at, online_since,
             clock_error_ms, highest_seq, gap_from, gap_to, version
         FROM device.devices WHERE device_id = $1 FOR UPDATE",
        id.as_str(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Device::try_from).transpose()
}

/// A controller and its sealed secret.
pub(crate) async fn with_secret(
    tx: &mut Tx,
    id: &DeviceId,
) -> Result<Option<(Device, Sealed)>, StoreError> {
    let row = sqlx::query!(
        "SELECT device_id, site_id, secret_id, secret, name, area_ids, direction, status, firmware, spool,
             last_seen_at, online_since, clock_error_ms, highest_seq, gap_from, gap_to, version
         FROM device.devices WHERE device_id = $1",
        id.as_str(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let sealed = Sealed { id: row.secret_id, secret: row.secret };
    let device = Device::try_from(Row {
        device_id: row.device_id,
        site_id: row.site_id,
        name: row.name,
        area_ids: row.area_ids,
        direction: row.direction,
        status: row.status,
        firmware: row.firmware,
        spool: row.spool,
        last_seen_at: row.last_seen_at,
        online_since: row.online_since,
        clock_error_ms: row.clock_error_ms,
        highest_seq: row.highest_seq,
        gap_from: row.gap_from,
        gap_to: row.gap_to,
        version: row.version,
    })?;
    Ok(Some((device, sealed)))
}

/// Writes what heartbeats and reports change of a locked controller.
pub(crate) async fn save(tx: &mut Tx, device: &Device) -> Result<(), StoreError> {
    let (from, to): (Vec<i64>, Vec<i64>) =
        device.sequence.gaps.iter().map(|gap| (signed(gap.from), signed(gap.to))).unzip();
    let saved = sqlx::query!(
        "UPDATE device.devices
         SET firmware = $2, spool = $3, last_seen_at = $4, online_since = $5, clock_error_ms = $6, highest_seq = $7,
             gap_from = $8, gap_to = $9, version = $10
         WHERE device_id = $1",
        device.id.as_str(),
        device.firmware,
        signed(device.spool),
        device.last_seen_at,
        device.online_since,
        device.clock_error.milliseconds(),
        device.sequence.highest.map(signed),
        &from,
        &to,
        signed(device.version),
    )
    .execute(&mut **tx)
    .await?;
    if saved.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// The controllers of a site, by id; of every site the transaction may see where none is named.
pub(crate) async fn list(tx: &mut Tx, site: Option<SiteId>) -> Result<Vec<Device>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT device_id, site_id, name, area_ids, direction, status, firmware, spool, last_seen_at, online_since,
             clock_error_ms, highest_seq, gap_from, gap_to, version
         FROM device.devices WHERE $1::uuid IS NULL OR site_id = $1 ORDER BY site_id, device_id",
        site.map(SiteId::as_uuid),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Device::try_from).collect()
}

/// Takes the controllers offline that were online and last heard of before `before`, and says which.
pub(crate) async fn take_offline(
    tx: &mut Tx,
    before: DateTime<Utc>,
) -> Result<Vec<Device>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "UPDATE device.devices SET online_since = NULL, version = version + 1
         WHERE online_since IS NOT NULL AND last_seen_at < $1
         RETURNING device_id, site_id, name, area_ids, direction, status, firmware, spool, last_seen_at, online_since,
             clock_error_ms, highest_seq, gap_from, gap_to, version",
        before,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Device::try_from).collect()
}
