use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Behaviour, Door, Held, is_vendor_string};
use crate::envelope::{Refused, control_body};
use crate::sandbox::Sandbox;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    state: Option<Behaviour>,
    device_id: Option<String>,
    door_name: Option<String>,
}

pub(super) async fn list(State(sandbox): State<Sandbox>) -> Json<Value> {
    let doors = sandbox.doors();
    let items: Vec<_> = doors.by_group.iter().map(|(group, door)| door.to_json(group)).collect();
    Json(json!({"items": items}))
}

pub(super) async fn one(
    State(sandbox): State<Sandbox>,
    Path(access_group_id): Path<String>,
) -> Result<Json<Value>, Refused> {
    check_group(&access_group_id)?;
    Ok(Json(sandbox.doors().door(&access_group_id).to_json(&access_group_id)))
}

/// Changes only what is named.
pub(super) async fn set(
    State(sandbox): State<Sandbox>,
    Path(access_group_id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    check_group(&access_group_id)?;
    let wanted: Set = control_body(&body)?;
    if wanted.device_id.as_deref().is_some_and(|device_id| !is_vendor_string(device_id)) {
        return Err(Refused::mistake("device_id: must be 1 to 64 visible ASCII characters"));
    }
    let mut doors = sandbox.doors();
    let door = doors.door(&access_group_id);
    if let Some(behaviour) = wanted.state {
        door.behaviour = behaviour;
    }
    if let Some(device_id) = wanted.device_id {
        door.device_id = device_id;
    }
    if let Some(door_name) = wanted.door_name {
        door.name = door_name;
    }
    sandbox.reports().notify_one();
    Ok(Json(door.to_json(&access_group_id)))
}

pub(super) async fn permissions(
    State(sandbox): State<Sandbox>,
    Path(access_group_id): Path<String>,
) -> Result<Json<Value>, Refused> {
    check_group(&access_group_id)?;
    let mut doors = sandbox.doors();
    let device_id = doors.door(&access_group_id).device_id.clone();
    let items: Vec<_> = doors.held(&access_group_id).map(Held::shown).collect();
    Ok(Json(json!({"device_id": device_id, "items": items})))
}

impl Door {
    fn to_json(&self, access_group_id: &str) -> Value {
        json!({
            "access_group_id": access_group_id,
            "device_id": self.device_id,
            "door_name": self.name,
            "state": self.behaviour,
            "last_seq": self.last_seq,
            "reported": self.reported,
            "unreported": self.unreported.len(),
            "last_answer": self.last_answer,
        })
    }
}

impl Held {
    fn shown(&self) -> Value {
        json!({
            "grant_id": self.grant_id,
            "face_id": self.face_id,
            "access_start_at": self.start.to_rfc3339(),
            "access_end_at": self.end.to_rfc3339(),
            "vendor_ref": self.vendor_ref,
            "pushes": self.pushes,
            "updated_at": self.updated_at.to_rfc3339(),
            "traceparent": self.traceparent,
        })
    }
}

fn check_group(access_group_id: &str) -> Result<(), Refused> {
    if is_vendor_string(access_group_id) {
        return Ok(());
    }
    Err(Refused::mistake("access_group_id: must be 1 to 64 visible ASCII characters"))
}
