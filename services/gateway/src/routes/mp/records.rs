//! What a worker did, and whether the gate would let them in.

use chrono::{DateTime, NaiveDate, Utc};
use proto::access_grant::v1::GetPassRequest;
use proto::training::v1::{self as training, ListRecordsRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::tasks::area_names;
use crate::answer::{Answer, Enveloped, answer, instant, some};
use crate::call::{Call, Shared, ask};
use crate::request::Query;
use crate::routes::shown::Failing;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_records)).routes(routes!(get_pass))
}

#[derive(Deserialize, IntoParams)]
struct Span {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

#[derive(Serialize, ToSchema)]
struct Records {
    items: Vec<Record>,
}

#[derive(Serialize, ToSchema)]
struct Record {
    record_id: String,
    daily_ticket_id: String,
    video_id: String,
    video_title: String,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    valid_watch_sec: u32,
    checks_passed: u32,
    checks_failed: u32,
    /// COMPLETED or FAILED.
    result: String,
    reason: Option<String>,
}

impl From<training::Record> for Record {
    fn from(record: training::Record) -> Self {
        Self {
            record_id: record.record_id,
            daily_ticket_id: record.daily_ticket_id,
            video_id: record.video_id,
            video_title: record.video_title,
            started_at: instant(record.started_at),
            ended_at: instant(record.ended_at),
            valid_watch_sec: record.valid_watch_sec,
            checks_passed: record.checks_passed,
            checks_failed: record.checks_failed,
            result: record.result,
            reason: some(record.reason),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct Pass {
    /// One line an area of today's tickets.
    areas: Vec<PassLine>,
}

#[derive(Serialize, ToSchema)]
struct PassLine {
    site_id: String,
    area_id: String,
    area_name: String,
    daily_ticket_id: String,
    allow: bool,
    /// One of the seven; null where access is allowed.
    reason_code: Option<String>,
    detail: String,
    /// All that fails, each with what mends it.
    failing: Vec<Failing>,
    until: Option<DateTime<Utc>>,
}

/// The worker's own trainings.
#[utoipa::path(
    get,
    path = "/api/mp/records",
    tag = "mini-program",
    params(Span),
    responses((status = 200, body = Enveloped<Records>))
)]
async fn list_records(call: Call, Query(span): Query<Span>) -> Answer<Records> {
    let date = |date: Option<NaiveDate>| date.map(|date| date.to_string()).unwrap_or_default();
    let message = ListRecordsRequest {
        worker_id: call.worker()?.to_string(),
        date_from: date(span.from),
        date_to: date(span.to),
        daily_ticket_id: String::new(),
    };
    let found = ask!(call.training.list_records(message)).await?;
    answer(Records { items: found.records.into_iter().map(Into::into).collect() })
}

/// Would the gates let me in now, and if not, what do I do?
#[utoipa::path(
    get,
    path = "/api/mp/pass",
    tag = "mini-program",
    responses((status = 200, body = Enveloped<Pass>))
)]
async fn get_pass(call: Call) -> Answer<Pass> {
    let worker_id = call.worker()?.to_string();
    let pass = ask!(call.access_grant.get_pass(GetPassRequest { worker_id })).await?;
    let names = area_names(&call, pass.lines.iter().map(|line| line.site_id.clone())).await?;
    let areas = pass.lines.into_iter().map(|line| PassLine {
        area_name: names.get(&line.area_id).cloned().unwrap_or_default(),
        site_id: line.site_id,
        area_id: line.area_id,
        daily_ticket_id: line.daily_ticket_id,
        allow: line.allow,
        reason_code: some(line.reason_code),
        detail: line.detail,
        failing: Failing::list(line.failing, call.language),
        until: instant(line.until),
    });
    answer(Pass { areas: areas.collect() })
}
