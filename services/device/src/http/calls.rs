use std::time::Duration;

use axum::extract::{Query, State};
use chrono::{DateTime, SecondsFormat, Utc};
use proto::access_grant::v1::{DoorChange, Failing};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::Fields;

use super::answer::{Answer, Refused};
use super::signed::Sender;
use crate::app::{App, Ask, ListPermissions, MOST_EVENTS};
use crate::domain::{Entry, Flaw, Gap, Heartbeat, Key, Report, Reported};
use crate::wire;

const HEARTBEAT_SECONDS: u32 = 60;
const LONGEST_WAIT_SECONDS: u32 = 25;
const MOST_CHANGES: u32 = 500;
const DEFAULT_CHANGES: u32 = 200;
const LONGEST_FIRMWARE: usize = 64;

#[derive(Deserialize)]
pub(super) struct Beat {
    #[serde(default)]
    firmware: Option<String>,
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    spool: u64,
}

#[derive(Serialize)]
pub(super) struct BeatAnswer {
    server_time: String,
    settings: Settings,
    /// Nothing is commanded yet.
    commands: [(); 0],
}

#[derive(Serialize)]
struct Settings {
    heartbeat_seconds: u32,
    permissions_wait_seconds: u32,
    max_events: usize,
    direction: &'static str,
    area_ids: Vec<String>,
}

pub(super) async fn heartbeat(
    State(app): State<App>,
    sender: Sender,
) -> Result<Answer<BeatAnswer>, Refused> {
    let beat: Beat = sender.json()?;
    let mut fields = Fields::new();
    let firmware = beat.firmware.as_deref().filter(|text| !text.trim().is_empty());
    let firmware = firmware.and_then(|text| fields.text("firmware", text, LONGEST_FIRMWARE));
    let time = instant(&mut fields, "time", beat.time.as_deref());
    fields.finish().map_err(|refusal| sender.refused(refusal))?;
    let beat = Heartbeat { firmware, time, spool: beat.spool };
    let now = app.take_heartbeat(&sender.device, beat).await.map_err(|err| sender.refused(err))?;
    Ok(Answer(BeatAnswer {
        server_time: text(now),
        settings: Settings {
            heartbeat_seconds: HEARTBEAT_SECONDS,
            permissions_wait_seconds: LONGEST_WAIT_SECONDS,
            max_events: MOST_EVENTS,
            direction: sender.device.senses.as_str(),
            area_ids: sender.device.areas.iter().map(ToString::to_string).collect(),
        },
        commands: [],
    }))
}

#[derive(Deserialize)]
pub(super) struct PermissionsQuery {
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    wait: String,
    #[serde(default)]
    limit: String,
}

#[derive(Serialize)]
pub(super) struct PermissionsAnswer {
    changes: Vec<Change>,
    cursor: String,
    more: bool,
}

#[derive(Serialize)]
struct Change {
    /// `UPSERT` or `REMOVE`.
    kind: String,
    grant_id: String,
    face_id: String,
    access_start_at: Option<String>,
    access_end_at: Option<String>,
    access_group_id: String,
}

pub(super) async fn permissions(
    State(app): State<App>,
    sender: Sender,
) -> Result<Answer<PermissionsAnswer>, Refused> {
    let mut fields = Fields::new();
    let query = Query::<PermissionsQuery>::try_from_uri(&sender.uri);
    let (mut cursor, mut wait, mut limit) = (String::new(), None, None);
    match query {
        Err(_) => fields.problem("query", "cannot be read"),
        Ok(Query(query)) => {
            wait = fields.parse_optional::<u32>("wait", &query.wait);
            limit = fields.parse_optional::<u32>("limit", &query.limit);
            cursor = query.cursor;
        }
    }
    let limit = limit.unwrap_or(DEFAULT_CHANGES);
    fields.check((1..=MOST_CHANGES).contains(&limit), "limit", "is not from 1 to 500");
    fields.finish().map_err(|refusal| sender.refused(refusal))?;
    let wait = Duration::from_secs(u64::from(wait.unwrap_or_default().min(LONGEST_WAIT_SECONDS)));
    let query = ListPermissions { cursor, limit, wait };
    let found =
        app.list_permissions(&sender.device, query).await.map_err(|err| sender.refused(err))?;
    Ok(Answer(PermissionsAnswer {
        changes: found.changes.into_iter().map(change).collect(),
        cursor: found.cursor,
        more: found.more,
    }))
}

fn change(change: DoorChange) -> Change {
    let grant = change.grant.unwrap_or_default();
    let at = |time: Option<&prost_types::Timestamp>| proto::instant(time).map(text);
    Change {
        kind: change.kind,
        access_start_at: at(grant.access_start_at.as_ref()),
        access_end_at: at(grant.access_end_at.as_ref()),
        grant_id: grant.grant_id,
        face_id: grant.face_id,
        access_group_id: grant.access_group_id,
    }
}

#[derive(Deserialize)]
pub(super) struct AskBody {
    #[serde(default)]
    face_id: String,
    #[serde(default)]
    direction: String,
    #[serde(default)]
    at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct DecisionAnswer {
    allow: bool,
    reason_code: String,
    detail: String,
    failing: Vec<FailingAnswer>,
    until: Option<String>,
    decision_id: String,
}

#[derive(Serialize)]
struct FailingAnswer {
    reason_code: String,
    detail: String,
    who: String,
    mend: String,
}

impl From<Failing> for FailingAnswer {
    fn from(failing: Failing) -> Self {
        let Failing { reason_code, detail, who, mend } = failing;
        Self { reason_code, detail, who, mend }
    }
}

pub(super) async fn decisions(
    State(app): State<App>,
    sender: Sender,
) -> Result<Answer<DecisionAnswer>, Refused> {
    let body: AskBody = sender.json()?;
    let mut fields = Fields::new();
    let face = fields.parse("face_id", &body.face_id);
    let direction = fields.parse("direction", &body.direction);
    let at = instant(&mut fields, "at", body.at.as_deref());
    fields.finish().map_err(|refusal| sender.refused(refusal))?;
    let (Some(face), Some(direction)) = (face, direction) else {
        return Err(Refused::of(types::ErrorCode::ValidationFailed));
    };
    let decision = app.decide(&sender.device, Ask { face, direction, at }).await;
    Ok(Answer(DecisionAnswer {
        allow: decision.allow,
        reason_code: decision.reason_code,
        detail: decision.detail,
        failing: decision.failing.into_iter().map(Into::into).collect(),
        until: decision.until.map(text),
        decision_id: decision.id,
    }))
}

#[derive(Deserialize)]
pub(super) struct EventsBody {
    /// Read one by one, so that a bad one spoils no other.
    events: Vec<Value>,
}

#[derive(Deserialize)]
struct EventBody {
    #[serde(default)]
    event_time: String,
    #[serde(default)]
    face_id: Option<String>,
    #[serde(default)]
    direction: String,
    #[serde(default)]
    result: String,
    #[serde(default)]
    reason_code: Option<String>,
}

#[derive(Serialize)]
pub(super) struct EventsAnswer {
    /// In the order of the request's events.
    outcomes: Vec<OutcomeAnswer>,
    /// Ranges of numbers that never came, to be sent again.
    missing: Vec<Missing>,
}

#[derive(Serialize)]
struct OutcomeAnswer {
    seq: u64,
    /// `accepted`, `duplicate` or `rejected`.
    outcome: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    passage_id: String,
}

#[derive(Serialize)]
struct Missing {
    from: u64,
    to: u64,
}

pub(super) async fn events(
    State(app): State<App>,
    sender: Sender,
) -> Result<Answer<EventsAnswer>, Refused> {
    let body: EventsBody = sender.json()?;
    let mut fields = Fields::new();
    fields.check(body.events.len() <= MOST_EVENTS, "events", "is longer than 500");
    fields.finish().map_err(|refusal| sender.refused(refusal))?;
    let seqs: Vec<u64> = body
        .events
        .iter()
        .map(|event| event.get("seq").and_then(Value::as_u64).unwrap_or_default())
        .collect();
    let batch = seqs.iter().zip(body.events);
    let batch =
        batch.map(|(seq, event)| Entry { key: Key::seq(*seq), report: report(event) }).collect();
    let recorded =
        app.record_events(&sender.device.id, batch).await.map_err(|err| sender.refused(err))?;
    let outcomes = seqs.into_iter().zip(&recorded.outcomes).map(|(seq, outcome)| {
        let outcome = wire::outcome(seq, outcome);
        OutcomeAnswer {
            seq,
            outcome: outcome.outcome,
            why: outcome.why,
            passage_id: outcome.passage_id,
        }
    });
    let missing = recorded.missing.into_iter().map(|Gap { from, to }| Missing { from, to });
    Ok(Answer(EventsAnswer { outcomes: outcomes.collect(), missing: missing.collect() }))
}

fn report(event: Value) -> Result<Report, Flaw> {
    let event: EventBody = serde_json::from_value(event).map_err(|_| Flaw::Malformed)?;
    Report::read(&Reported {
        event_time: read(&event.event_time),
        face_id: event.face_id.unwrap_or_default(),
        direction: event.direction,
        result: event.result,
        reason_code: event.reason_code.unwrap_or_default(),
    })
}

fn instant(fields: &mut Fields, field: &str, given: Option<&str>) -> Option<DateTime<Utc>> {
    let given = given.filter(|text| !text.is_empty())?;
    let at = read(given);
    fields.check(at.is_some(), field, "is no RFC 3339 instant");
    at
}

fn read(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
