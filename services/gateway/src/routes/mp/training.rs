//! Watching a video, as oneself.

use chrono::{DateTime, Utc};
use proto::access_grant::v1::AwaitAuthorizedRequest;
use proto::training::v1::{
    AnswerCheckRequest, FinishSessionRequest, ReportProgressRequest, StartFaceVerificationRequest,
    StartSessionRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::public_url;
use crate::answer::{Answer, Enveloped, answer, instant};
use crate::call::{Call, Shared};
use crate::request::{Command, Id, Ids, id};

/// How long finishing waits for the doors.
const WAIT_MS: u32 = 2_000;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(start_face_verification))
        .routes(routes!(start_session))
        .routes(routes!(report_progress))
        .routes(routes!(answer_check))
        .routes(routes!(finish_session))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Face {
    purpose: Purpose,
    daily_ticket_id: Uuid,
    /// Of the open check, where the purpose is one.
    check_id: Option<Uuid>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Purpose {
    Start,
    Check,
}

#[derive(Serialize, ToSchema)]
struct FaceStarted {
    /// Works once, for what it was made for.
    face_verify_token: String,
    provider: String,
    params: FaceParams,
    expires_at: Option<DateTime<Utc>>,
}

/// What the client's face call needs.
#[derive(Serialize, ToSchema)]
struct FaceParams {
    verify_id: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Start {
    daily_ticket_id: Uuid,
    video_id: Uuid,
    #[schema(min_length = 1)]
    face_verify_token: String,
    /// Model, system, network: kept with the record. At most 200 characters.
    device: Option<Value>,
}

#[derive(Serialize, ToSchema)]
struct Started {
    session_id: String,
    session_token: String,
    resume_at_sec: u32,
    play_url: String,
    duration_sec: u32,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Progress {
    #[schema(min_length = 1)]
    session_token: String,
    #[schema(value_type = f64, minimum = 0, maximum = 4_294_967_295u32)]
    current_sec: Seconds,
    #[schema(value_type = f64, minimum = 0, maximum = 4_294_967_295u32)]
    duration_sec: Seconds,
    event: PlayerEvent,
    /// What the player has ready; not used yet.
    #[serde(rename = "buffered")]
    _buffered: Option<Value>,
    /// Counts the reports of a session up.
    seq: Option<u64>,
}

/// Players count in fractions; whole seconds are kept.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct Seconds(u32);

impl TryFrom<f64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, &'static str> {
        if !(0.0..=f64::from(u32::MAX)).contains(&seconds) {
            return Err("out of range");
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        Ok(Self(seconds as u32))
    }
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum PlayerEvent {
    Playing,
    Paused,
    Seeked,
    Ended,
}

impl PlayerEvent {
    fn as_str(self) -> &'static str {
        match self {
            Self::Playing => "PLAYING",
            Self::Paused => "PAUSED",
            Self::Seeked => "SEEKED",
            Self::Ended => "ENDED",
        }
    }
}

#[derive(Serialize, ToSchema)]
struct Counted {
    /// Distinct seconds watched.
    valid_watch_sec: u32,
    required_sec: u32,
    status: String,
    /// Open, and to be passed before anything counts again.
    check: Option<Check>,
}

#[derive(Serialize, ToSchema)]
struct Check {
    check_id: String,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Answered {
    #[schema(min_length = 1)]
    session_token: String,
    #[schema(min_length = 1)]
    face_verify_token: String,
}

#[derive(Serialize, ToSchema)]
struct CheckAnswered {
    status: String,
    valid_watch_sec: u32,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Finish {
    session_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Finished {
    /// COMPLETED or FAILED.
    result: String,
    /// Every area's door is proved to let the worker in.
    authorized: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<Pending>,
}

/// What is still missing before the worker can pass.
#[derive(Serialize, ToSchema)]
struct Pending {
    why: Why,
    /// Areas whose doors are not proved yet.
    area_ids: Vec<String>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Why {
    /// Other videos of the day are left to watch.
    VideosLeft,
    /// Finished after the deadline: a person has to release the worker.
    AfterDeadline,
    /// On its way to the doors.
    SyncPending,
}

/// Starts a face verification with the provider. Each call starts another, whatever its `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/mp/face-verifications",
    tag = "mini-program",
    request_body = Face,
    responses((status = 200, body = Enveloped<FaceStarted>))
)]
async fn start_face_verification(call: Call, Command(face): Command<Face>) -> Answer<FaceStarted> {
    let message = StartFaceVerificationRequest {
        worker_id: call.worker()?.to_string(),
        daily_ticket_id: face.daily_ticket_id.to_string(),
        purpose: match face.purpose {
            Purpose::Start => "START".to_owned(),
            Purpose::Check => "CHECK".to_owned(),
        },
        check_id: id(face.check_id),
    };
    let request = call.command(message);
    let started = call.training().start_face_verification(request).await?.into_inner();
    answer(FaceStarted {
        face_verify_token: started.face_verify_token,
        provider: started.provider,
        params: FaceParams { verify_id: started.verify_id },
        expires_at: instant(started.expires_at),
    })
}

/// Starts or resumes the watching of a video; ends the person's other live session.
#[utoipa::path(
    post,
    path = "/api/mp/training-sessions",
    tag = "mini-program",
    request_body = Start,
    responses((status = 200, body = Enveloped<Started>))
)]
async fn start_session(call: Call, Command(start): Command<Start>) -> Answer<Started> {
    let device = match start.device {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    let message = StartSessionRequest {
        worker_id: call.worker()?.to_string(),
        daily_ticket_id: start.daily_ticket_id.to_string(),
        video_id: start.video_id.to_string(),
        face_verify_token: start.face_verify_token,
        device,
    };
    let started = call.training().start_session(call.command(message)).await?.into_inner();
    answer(Started {
        play_url: public_url(&call, started.play_url),
        session_id: started.session_id,
        session_token: started.session_token,
        resume_at_sec: started.resume_at_sec,
        duration_sec: started.duration_sec,
    })
}

/// What the player is doing; every ten seconds, and at each event.
#[utoipa::path(
    post,
    path = "/api/mp/training-sessions/{session_id}/progress",
    tag = "mini-program",
    params(("session_id" = Uuid, Path)),
    request_body = Progress,
    responses((status = 200, body = Enveloped<Counted>))
)]
async fn report_progress(
    call: Call,
    Id(session_id): Id,
    Command(progress): Command<Progress>,
) -> Answer<Counted> {
    let message = ReportProgressRequest {
        session_id,
        session_token: progress.session_token,
        current_sec: progress.current_sec.0,
        duration_sec: progress.duration_sec.0,
        event: progress.event.as_str().to_owned(),
        seq: progress.seq.unwrap_or_default(),
    };
    let counted = call.training().report_progress(call.command(message)).await?.into_inner();
    let check = counted.check.filter(|check| !check.check_id.is_empty());
    answer(Counted {
        valid_watch_sec: counted.valid_watch_sec,
        required_sec: counted.required_sec,
        status: counted.status,
        check: check
            .map(|check| Check { check_id: check.check_id, expires_at: instant(check.expires_at) }),
    })
}

/// Answers a random check with a face verification made for it.
#[utoipa::path(
    post,
    path = "/api/mp/training-sessions/{session_id}/checks/{check_id}",
    tag = "mini-program",
    params(("session_id" = Uuid, Path), ("check_id" = Uuid, Path)),
    request_body = Answered,
    responses((status = 200, body = Enveloped<CheckAnswered>))
)]
async fn answer_check(
    call: Call,
    Ids(session_id, check_id): Ids,
    Command(answered): Command<Answered>,
) -> Answer<CheckAnswered> {
    let Answered { session_token, face_verify_token } = answered;
    let message = AnswerCheckRequest { session_id, session_token, check_id, face_verify_token };
    let judged = call.training().answer_check(call.command(message)).await?.into_inner();
    answer(CheckAnswered { status: judged.status, valid_watch_sec: judged.valid_watch_sec })
}

/// Judges the session, and waits up to two seconds for the doors. Finishing twice answers the same.
#[utoipa::path(
    post,
    path = "/api/mp/training-sessions/{session_id}/finish",
    tag = "mini-program",
    params(("session_id" = Uuid, Path)),
    request_body = Finish,
    responses((status = 200, body = Enveloped<Finished>))
)]
async fn finish_session(
    call: Call,
    Id(session_id): Id,
    Command(finish): Command<Finish>,
) -> Answer<Finished> {
    let worker_id = call.worker()?.to_string();
    let session_token = finish.session_token.unwrap_or_default();
    let message = FinishSessionRequest { session_id, session_token, worker_id: worker_id.clone() };
    let judged = call.training().finish_session(call.command(message)).await?.into_inner();
    let waiting = |why| Some(Pending { why, area_ids: Vec::new() });
    let (authorized, pending) = match (judged.result.as_str(), judged.day_complete, judged.in_time)
    {
        ("COMPLETED", true, true) => authorized(&call, judged.daily_ticket_id, worker_id).await,
        ("COMPLETED", true, false) => (false, waiting(Why::AfterDeadline)),
        ("COMPLETED", false, _) => (false, waiting(Why::VideosLeft)),
        _ => (false, None),
    };
    answer(Finished { result: judged.result, authorized, pending })
}

/// Whether the doors are proved. The training is finished whatever comes of this question.
async fn authorized(
    call: &Call,
    daily_ticket_id: String,
    worker_id: String,
) -> (bool, Option<Pending>) {
    let message = AwaitAuthorizedRequest { daily_ticket_id, worker_id, wait_ms: WAIT_MS };
    let area_ids = match call.access_grant().await_authorized(call.ask(message)).await {
        Ok(answer) if answer.get_ref().authorized => return (true, None),
        Ok(answer) => answer.into_inner().pending_area_ids,
        Err(status) => {
            tracing::warn!(code = ?status.code(), "cannot tell whether the doors are proved");
            Vec::new()
        }
    };
    (false, Some(Pending { why: Why::SyncPending, area_ids }))
}
