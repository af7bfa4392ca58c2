use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use prost_types::Timestamp;
use proto::access_grant::v1::{ExplainRequest, ReleaseLateGrantRequest};
use proto::directory::v1::WorkerRow;
use proto::ticket::v1::{self as ticket, GetDailyTicketRequest, WorkerProgress};
use serde::{Deserialize, Serialize};
use types::ErrorCode;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::work_tickets::shown::{DailyTicket, Ticket};
use crate::answer::{Answer, Enveloped, answer, instant};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Id, Ids, Listed, Query, wire};
use crate::routes::shown::{Explanation, Grant};

/// Explanations asked for at once.
const AT_ONCE: usize = 8;
/// For all explanations of a page together: it is worth showing without the last ones.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(get_daily_ticket)).routes(routes!(release_late_grant))
}

#[derive(Serialize, ToSchema)]
struct DailyTicketDetail {
    #[serde(flatten)]
    day: DailyTicket,
    ticket: Ticket,
    workers: Vec<WorkerOfDay>,
    /// Of all pages.
    total: u32,
    page: u32,
    page_size: u32,
    /// When the site's roster was last read from the real-name system; null: never, or it cannot be told now.
    roster_synced_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, IntoParams)]
struct Shown {
    /// Only workers whose training is so far: `NOT_STARTED`, `IN_LEARNING`, `WAITING_VERIFY`, COMPLETED or FAILED.
    training_status: Option<String>,
}

/// Videos of the day watched to their end, of those it asks for.
#[derive(Serialize, ToSchema)]
struct VideoProgress {
    completed: u32,
    required: u32,
}

#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, as the API names them")]
struct WorkerOfDay {
    worker_id: String,
    /// Null where it cannot be told now.
    name: Option<String>,
    id_no: Option<String>,
    phone: Option<String>,
    bound: bool,
    /// A notice was taken by WeChat.
    notified: bool,
    /// The worker opened the task.
    read: bool,
    /// `NOT_STARTED`, `IN_LEARNING`, `WAITING_VERIFY`, COMPLETED or FAILED.
    training_status: String,
    progress: VideoProgress,
    /// When the day's training was complete.
    completed_at: Option<DateTime<Utc>>,
    /// Every area's grant is proved.
    authorized: bool,
    grants: Vec<GrantOfDay>,
    /// Why a door would refuse now, at the first area whose grant is not proved; only while the day runs. Null too
    /// where it cannot be told now.
    why_not: Option<Explanation>,
}

#[derive(Serialize, ToSchema)]
struct GrantOfDay {
    grant_id: String,
    area_id: String,
    /// `PENDING_SYNC`, SYNCED, `SYNC_FAILED` or REVOKED.
    status: String,
}

impl WorkerOfDay {
    fn new(
        progress: WorkerProgress,
        names: &mut HashMap<String, WorkerRow>,
        why_not: Option<Explanation>,
    ) -> Self {
        let (name, id_no, phone) = match names.remove(&progress.worker_id) {
            Some(row) => (Some(row.name), Some(row.id_no_masked), Some(row.phone_masked)),
            None => (None, None, None),
        };
        let grants = progress.grants.into_iter().map(|grant| GrantOfDay {
            grant_id: grant.grant_id,
            area_id: grant.area_id,
            status: grant.status,
        });
        Self {
            worker_id: progress.worker_id,
            name,
            id_no,
            phone,
            bound: progress.bound,
            notified: progress.notified,
            read: progress.read,
            training_status: progress.training_status,
            progress: VideoProgress {
                completed: progress.completed_videos,
                required: progress.required_videos,
            },
            completed_at: instant(progress.completed_at),
            authorized: progress.authorized,
            grants: grants.collect(),
            why_not,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Release {
    #[schema(min_length = 1)]
    reason: String,
}

#[derive(Serialize, ToSchema)]
struct Released {
    grants: Vec<Grant>,
}

/// One day of a ticket: the workers on it, and how far each is.
#[utoipa::path(
    get,
    path = "/api/admin/daily-tickets/{daily_ticket_id}",
    tag = "work tickets",
    params(("daily_ticket_id" = Uuid, Path), Listed<Shown>),
    responses((status = 200, body = Enveloped<DailyTicketDetail>))
)]
async fn get_daily_ticket(
    call: Call,
    Id(daily_ticket_id): Id,
    Query(listed): Query<Listed<Shown>>,
) -> Answer<DailyTicketDetail> {
    let page = listed.paging.page()?;
    let message = GetDailyTicketRequest {
        daily_ticket_id,
        page: Some(wire(page)),
        training_status: listed.filter.training_status.unwrap_or_default(),
    };
    let found = ask!(call.ticket.get_daily_ticket(message)).await?;
    let internal = || Failure::new(ErrorCode::Internal);
    let ticket = found.ticket.ok_or_else(internal)?;
    call.looks_at(&ticket.site_id).await?;
    let day = found.daily_ticket.ok_or_else(internal)?;
    let ids = found.workers.iter().map(|worker| worker.worker_id.clone());
    let at = proto::timestamp(call.gateway.shell.clock.now());
    let runs = day.status == "IN_PROGRESS";
    let questions = if runs { questions(&ticket, &found.workers, at) } else { Vec::new() };
    let (mut names, mut reasons, roster_synced_at) = tokio::join!(
        call.names(ids),
        reasons(&call, questions),
        call.roster_synced_at(&ticket.site_id),
    );
    let workers = found.workers.into_iter().map(|worker| {
        let why_not = reasons.remove(&worker.worker_id);
        WorkerOfDay::new(worker, &mut names, why_not)
    });
    let workers = workers.collect();
    answer(DailyTicketDetail {
        day: day.into(),
        ticket: ticket.into(),
        workers,
        total: found.total,
        page: page.page,
        page_size: page.page_size,
        roster_synced_at,
    })
}

/// The first area whose door is not proved to let the worker in; the ticket's first where all are proved and the worker
/// is not authorized yet.
fn refused_at<'a>(area_ids: &'a [String], worker: &WorkerProgress) -> Option<&'a String> {
    let is_proved = |area_id: &&String| {
        worker.grants.iter().any(|grant| grant.area_id == **area_id && grant.status == "SYNCED")
    };
    area_ids.iter().find(|area_id| !is_proved(area_id)).or(area_ids.first())
}

/// What to ask of each worker who is not authorized.
fn questions(
    ticket: &ticket::Ticket,
    workers: &[WorkerProgress],
    at: Timestamp,
) -> Vec<ExplainRequest> {
    let refused = workers.iter().filter(|worker| !worker.authorized);
    let question = |worker: &WorkerProgress| {
        Some(ExplainRequest {
            site_id: ticket.site_id.clone(),
            worker_id: worker.worker_id.clone(),
            area_id: refused_at(&ticket.area_ids, worker)?.clone(),
            at: Some(at),
        })
    };
    refused.filter_map(question).collect()
}

/// What keeps each worker out. Missing for whom it cannot be told now, or not in time.
async fn reasons(call: &Call, questions: Vec<ExplainRequest>) -> HashMap<String, Explanation> {
    let explained = stream::iter(questions).map(async |message| {
        let worker_id = message.worker_id.clone();
        let explained = call.access_grant().explain(call.ask(message)).await.ok()?;
        Some((worker_id, Explanation::new(explained.into_inner(), call.language)))
    });
    let in_time = explained.buffer_unordered(AT_ONCE).take_until(tokio::time::sleep(PATIENCE));
    in_time.filter_map(std::future::ready).collect().await
}

/// Lets one in who finished after the deadline. Releasing twice changes nothing.
#[utoipa::path(
    post,
    path = "/api/admin/daily-tickets/{daily_ticket_id}/workers/{worker_id}/release",
    tag = "work tickets",
    params(("daily_ticket_id" = Uuid, Path), ("worker_id" = Uuid, Path)),
    request_body = Release,
    responses((status = 200, body = Enveloped<Released>))
)]
async fn release_late_grant(
    call: Call,
    Ids(daily_ticket_id, worker_id): Ids,
    Command(release): Command<Release>,
) -> Answer<Released> {
    let message = ReleaseLateGrantRequest { daily_ticket_id, worker_id, reason: release.reason };
    let released =
        call.access_grant().release_late_grant(call.command(message)).await?.into_inner();
    answer(Released { grants: Grant::named(released.grants, &call).await.collect() })
}
