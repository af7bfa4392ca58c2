use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Behaviour, Door, Held, is_vendor_string};
use crate::envelope::{BadFields, Refused, ok};
use crate::sandbox::Sandbox;

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 500;

// Unknown fields are ignored, as vendors do; a field of another type counts as missing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Pushed {
    grant_id: String,
    worker: Worker,
    area: Area,
    access_start_at: String,
    access_end_at: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Worker {
    id_no: String,
    name: String,
    face_id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Area {
    access_group_id: String,
}

/// The same grant again replaces what is held of it; its reference stays.
pub(super) async fn push(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    let grant: Pushed = serde_json::from_slice(&body)
        .map_err(|_| Refused::new(StatusCode::BAD_REQUEST, 40002, "MALFORMED_JSON", &json!({})))?;
    let (start, end) = grant.check()?;
    let updated_at = sandbox.site_now();
    let mut doors = sandbox.doors();
    online(doors.door(&grant.area.access_group_id))?;
    let pushes = doors.grants.get(&grant.grant_id).map_or(0, |held| held.pushes) + 1;
    let vendor_ref = format!("v{}", &hex::encode(Sha256::digest(&grant.grant_id))[..16]);
    doors.grants.insert(
        grant.grant_id.clone(),
        Held {
            grant_id: grant.grant_id,
            id_no: grant.worker.id_no,
            name: grant.worker.name,
            face_id: grant.worker.face_id,
            access_group_id: grant.area.access_group_id,
            start,
            end,
            vendor_ref: vendor_ref.clone(),
            pushes,
            updated_at,
            traceparent: traceparent(&headers),
        },
    );
    Ok(ok(&json!({"sync_status": "SYNCED", "vendor_ref": vendor_ref})))
}

impl Pushed {
    fn check(&self) -> Result<(DateTime<FixedOffset>, DateTime<FixedOffset>), Refused> {
        let mut bad = BadFields::default();
        for (field, value) in [
            ("grant_id", &self.grant_id),
            ("worker.face_id", &self.worker.face_id),
            ("area.access_group_id", &self.area.access_group_id),
        ] {
            if !is_vendor_string(value) {
                bad.add(field, "must be 1 to 64 visible ASCII characters");
            }
        }
        if vault::IdNo::parse(&self.worker.id_no).is_err() {
            bad.add("worker.id_no", "must be an identity number of 18 characters");
        }
        if self.worker.name.trim().is_empty() || self.worker.name.chars().count() > 32 {
            bad.add("worker.name", "must be 1 to 32 characters");
        }
        let start = DateTime::parse_from_rfc3339(&self.access_start_at);
        let end = DateTime::parse_from_rfc3339(&self.access_end_at);
        for (field, time) in [("access_start_at", &start), ("access_end_at", &end)] {
            if time.is_err() {
                bad.add(field, "must be an RFC 3339 instant");
            }
        }
        let window = start.ok().zip(end.ok());
        if window.is_some_and(|(start, end)| end <= start) {
            bad.add("access_end_at", "not after access_start_at");
        }
        bad.or(window)
    }
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    access_group_id: String,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// What the door holds, in the order of grant ids; `next_cursor` is null on the last page.
pub(super) async fn read_back(
    State(sandbox): State<Sandbox>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Refused> {
    let mut bad = BadFields::default();
    if !is_vendor_string(&wanted.access_group_id) {
        bad.add("access_group_id", "must be 1 to 64 visible ASCII characters");
    }
    bad.or(Some(()))?;
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let mut doors = sandbox.doors();
    let door = doors.door(&wanted.access_group_id);
    online(door)?;
    let device_id = door.device_id.clone();
    let after = wanted.cursor.unwrap_or_default();
    let mut rest = doors.held(&wanted.access_group_id).filter(|held| held.grant_id > after);
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let next_cursor = rest.next().and(page.last()).map(|held| held.grant_id.as_str());
    let items: Vec<_> = page.iter().map(|held| held.as_pushed()).collect();
    Ok(ok(&json!({"items": items, "next_cursor": next_cursor, "device_id": device_id})))
}

impl Held {
    fn as_pushed(&self) -> Value {
        json!({
            "grant_id": self.grant_id,
            "worker": {"id_no": self.id_no, "name": self.name, "face_id": self.face_id},
            "area": {"access_group_id": self.access_group_id},
            "access_start_at": self.start.to_rfc3339(),
            "access_end_at": self.end.to_rfc3339(),
            "vendor_ref": self.vendor_ref,
            "updated_at": self.updated_at.to_rfc3339(),
        })
    }
}

/// Taking away what is not there succeeds too; `removed` tells.
pub(super) async fn take_away(
    State(sandbox): State<Sandbox>,
    Path(grant_id): Path<String>,
) -> Result<Json<Value>, Refused> {
    let mut doors = sandbox.doors();
    if let Some(group) = doors.group_of(&grant_id).map(str::to_owned) {
        online(doors.door(&group))?;
    }
    let removed = doors.grants.remove(&grant_id).is_some();
    Ok(ok(&json!({"sync_status": "REVOKED", "removed": removed})))
}

fn online(door: &Door) -> Result<(), Refused> {
    if door.behaviour != Behaviour::Offline {
        return Ok(());
    }
    let data = json!({"device_id": door.device_id});
    Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, 50301, "DEVICE_OFFLINE", &data))
}

fn traceparent(headers: &HeaderMap) -> Option<String> {
    headers.get("traceparent")?.to_str().ok().map(str::to_owned)
}
