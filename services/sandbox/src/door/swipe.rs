//! A face before the turnstile: the door decides alone, by what it was given.

use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Behaviour, Doors, is_vendor_string, reports};
use crate::envelope::{Refused, control_body};
use crate::sandbox::Sandbox;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Direction {
    In,
    Out,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Swipe {
    face_id: String,
    direction: Direction,
}

/// The body of PRD 9.6.2, and the device's own number of the event, which only rises.
#[derive(Debug, Serialize)]
struct Passage<'a> {
    device_id: &'a str,
    event_time: String,
    face_id: &'a str,
    direction: Direction,
    result: &'static str,
    reason_code: &'static str,
    seq: u64,
}

struct Verdict {
    opens: bool,
    reason_code: &'static str,
    /// What the screen at the door shows.
    shown: &'static str,
}

pub(super) async fn swipe(
    State(sandbox): State<Sandbox>,
    Path(access_group_id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    let swipe: Swipe = control_body(&body)?;
    for (name, value) in [("access_group_id", &access_group_id), ("face_id", &swipe.face_id)] {
        if !is_vendor_string(value) {
            return Err(Refused::mistake(format!(
                "{name}: must be 1 to 64 visible ASCII characters"
            )));
        }
    }
    let now = sandbox.site_now();
    let mut doors = sandbox.doors();
    let verdict = doors.decide(&access_group_id, &swipe, now);
    let door = doors.door(&access_group_id);
    door.last_seq += 1;
    let passage = Passage {
        device_id: &door.device_id,
        event_time: now.to_rfc3339_opts(chrono::SecondsFormat::Millis, false),
        face_id: &swipe.face_id,
        direction: swipe.direction,
        result: if verdict.opens { "PASS" } else { "DENY" },
        reason_code: verdict.reason_code,
        seq: door.last_seq,
    };
    let event = json!(passage);
    door.unreported.push_back(reports::Report::new(event.to_string()));
    sandbox.reports().notify_one();
    Ok(Json(json!({"opened": verdict.opens, "event": event, "reason": verdict.shown})))
}

impl Doors {
    fn decide(
        &mut self,
        access_group_id: &str,
        swipe: &Swipe,
        now: DateTime<FixedOffset>,
    ) -> Verdict {
        if swipe.direction == Direction::Out {
            return Verdict { opens: true, reason_code: "", shown: "请通行" };
        }
        match self.door(access_group_id).behaviour {
            Behaviour::Broken => {
                Verdict { opens: false, reason_code: "DEVICE_ERROR", shown: "设备故障" }
            }
            Behaviour::RefuseAll => {
                Verdict { opens: false, reason_code: "", shown: "禁止通行" }
            }
            Behaviour::Ok | Behaviour::Offline => {
                let mut held = self
                    .held(access_group_id)
                    .filter(|held| held.face_id == swipe.face_id)
                    .peekable();
                let shown =
                    if held.peek().is_some() { "不在授权时间" } else { "无通行权限" };
                let opens = held.any(|held| held.start <= now && now < held.end);
                Verdict { opens, reason_code: "", shown: if opens { "请通行" } else { shown } }
            }
        }
    }
}
