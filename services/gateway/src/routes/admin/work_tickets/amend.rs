//! What people change of a ticket after it was made, what that brings, and its history.

use chrono::{DateTime, NaiveDate, Utc};
use proto::ticket::v1::{
    AddWorkersRequest, AmendTicketRequest, CancelDailyTicketRequest, CopyTicketRequest,
    CopyTicketResponse, Ids as WireIds, ListTicketHistoryRequest, RemoveWorkerRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::effects::{TicketChange, TicketEdit, Warning};
use super::{CreatedTicket, NotifyPolicy, VideoRule, WORDS, Window};
use crate::answer::{Answer, Enveloped, Items, answer, instant};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Id, Ids, Paging, Query, TimeOfDay, ids, wire};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(amend_work_ticket))
        .routes(routes!(add_ticket_workers))
        .routes(routes!(remove_ticket_worker))
        .routes(routes!(copy_work_ticket))
        .routes(routes!(list_ticket_history))
        .routes(routes!(cancel_daily_ticket))
}

#[derive(Deserialize, IntoParams)]
pub(super) struct Preview {
    /// Only says what would change.
    pub(super) preview: Option<bool>,
}

impl Preview {
    pub(super) fn is_asked(&self) -> bool {
        self.preview == Some(true)
    }
}

/// What is absent stays as it is. A list that is given is the whole new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TicketAmendment {
    /// The one last read.
    #[schema(minimum = 1)]
    version: u64,
    #[schema(min_length = 1)]
    reason: String,
    #[schema(min_length = 1)]
    title: Option<String>,
    remark: Option<String>,
    access_time_window: Option<Window>,
    /// The one that is shown changes nothing: a site's own stays the site's.
    training_deadline: Option<TimeOfDay>,
    video_rule: Option<VideoRule>,
    notify_policy: Option<NotifyPolicy>,
    start_date: Option<NaiveDate>,
    end_date: Option<NaiveDate>,
    area_ids: Option<Vec<Uuid>>,
    worker_ids: Option<Vec<Uuid>>,
    video_ids: Option<Vec<Uuid>>,
}

impl TicketAmendment {
    fn request(self, ticket_id: String, preview: bool) -> AmendTicketRequest {
        let window = self.access_time_window;
        let (start, end) = window
            .map(|Window { start: TimeOfDay(start), end: TimeOfDay(end) }| (start, end))
            .unzip();
        let policy = self.notify_policy.unwrap_or_default();
        let list = |given: Option<Vec<Uuid>>| given.map(|given| WireIds { ids: ids(&given) });
        AmendTicketRequest {
            ticket_id,
            revision: self.version,
            reason: self.reason,
            preview,
            title: self.title,
            remark: self.remark,
            access_start_time: start,
            access_end_time: end,
            training_deadline_time: self.training_deadline.map(|TimeOfDay(text)| text),
            video_rule: self.video_rule.map(|rule| rule.as_str().to_owned()),
            publish_now: policy.publish_now,
            daily_reminder: policy.daily_reminder,
            start_date: self.start_date.map(|date| date.to_string()),
            end_date: self.end_date.map(|date| date.to_string()),
            area_ids: list(self.area_ids),
            worker_ids: list(self.worker_ids),
            video_ids: list(self.video_ids),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoreWorkers {
    #[schema(min_items = 1)]
    worker_ids: Vec<Uuid>,
    #[schema(min_length = 1)]
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WhyChanged {
    #[schema(min_length = 1)]
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TicketCopy {
    start_date: NaiveDate,
    /// As many days as the original has when absent.
    end_date: Option<NaiveDate>,
    /// The original's when absent.
    title: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct AmendedTicket {
    #[serde(flatten)]
    change: TicketChange,
    /// When the roster was last read from the real-name system, by which workers were checked; null: never, or it was not
    /// asked about any.
    roster_synced_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct ChangedWorkers {
    #[serde(flatten)]
    change: TicketChange,
    /// Of those named, who is not yet reachable by WeChat.
    unbound_worker_ids: Vec<String>,
    /// When the roster was last read from the real-name system, by which they were checked; null: never, or all of them
    /// were on the ticket already.
    roster_synced_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct CancelledDay {
    daily_ticket_id: String,
    #[serde(flatten)]
    change: TicketChange,
}

/// Changes what the ticket says, on the days that are not over. What it says already changes nothing.
#[utoipa::path(
    patch,
    path = "/api/admin/work-tickets/{ticket_id}",
    tag = "work tickets",
    params(("ticket_id" = Uuid, Path), Preview),
    request_body = TicketAmendment,
    responses((status = 200, body = Enveloped<AmendedTicket>))
)]
async fn amend_work_ticket(
    call: Call,
    Id(ticket_id): Id,
    Query(preview): Query<Preview>,
    Command(amendment): Command<TicketAmendment>,
) -> Answer<AmendedTicket> {
    let message = amendment.request(ticket_id, preview.is_asked());
    let amended = call.ticket().amend_ticket(call.command(message)).await;
    let amended = amended.map_err(|status| Failure::renamed(&status, WORDS))?.into_inner();
    let (id, version) = (amended.ticket_id, amended.revision);
    let change = TicketChange::told(&call, id, version, preview.is_asked(), amended.effects);
    let roster_synced_at = instant(amended.roster_synced_at);
    answer(AmendedTicket { change: change.await?, roster_synced_at })
}

/// Names more workers. Naming one who is named already changes nothing.
#[utoipa::path(
    post,
    path = "/api/admin/work-tickets/{ticket_id}/workers",
    tag = "work tickets",
    params(("ticket_id" = Uuid, Path), Preview),
    request_body = MoreWorkers,
    responses((status = 200, body = Enveloped<ChangedWorkers>))
)]
async fn add_ticket_workers(
    call: Call,
    Id(ticket_id): Id,
    Query(preview): Query<Preview>,
    Command(more): Command<MoreWorkers>,
) -> Answer<ChangedWorkers> {
    let preview = preview.is_asked();
    let (worker_ids, reason) = (ids(&more.worker_ids), more.reason);
    let message = AddWorkersRequest { ticket_id, worker_ids, reason, preview };
    let added = call.ticket().add_workers(call.command(message)).await?.into_inner();
    let change = TicketChange::told(&call, added.ticket_id, added.revision, preview, added.effects);
    answer(ChangedWorkers {
        change: change.await?,
        unbound_worker_ids: added.unbound_worker_ids,
        roster_synced_at: instant(added.roster_synced_at),
    })
}

/// Takes a worker off the ticket; their access ends with it. Who was taken off before stays so.
#[utoipa::path(
    delete,
    path = "/api/admin/work-tickets/{ticket_id}/workers/{worker_id}",
    tag = "work tickets",
    params(("ticket_id" = Uuid, Path), ("worker_id" = Uuid, Path), Preview),
    request_body = WhyChanged,
    responses((status = 200, body = Enveloped<TicketChange>))
)]
async fn remove_ticket_worker(
    call: Call,
    Ids(ticket_id, worker_id): Ids,
    Query(preview): Query<Preview>,
    Command(why): Command<WhyChanged>,
) -> Answer<TicketChange> {
    let preview = preview.is_asked();
    let message = RemoveWorkerRequest { ticket_id, worker_id, reason: why.reason, preview };
    let removed = call.ticket().remove_worker(call.command(message)).await?.into_inner();
    let change =
        TicketChange::told(&call, removed.ticket_id, removed.revision, preview, removed.effects);
    answer(change.await?)
}

/// Makes a draft of the same terms, people and places, without what is no longer there.
#[utoipa::path(
    post,
    path = "/api/admin/work-tickets/{ticket_id}/copy",
    tag = "work tickets",
    params(("ticket_id" = Uuid, Path)),
    request_body = TicketCopy,
    responses((status = 200, body = Enveloped<CreatedTicket>))
)]
async fn copy_work_ticket(
    call: Call,
    Id(ticket_id): Id,
    Command(copy): Command<TicketCopy>,
) -> Answer<CreatedTicket> {
    let message = CopyTicketRequest {
        ticket_id,
        start_date: copy.start_date.to_string(),
        end_date: copy.end_date.map(|date| date.to_string()).unwrap_or_default(),
        title: copy.title.unwrap_or_default(),
    };
    let made = call.ticket().copy_ticket(call.command(message)).await;
    let made = made.map_err(|status| Failure::renamed(&status, WORDS))?.into_inner();
    let CopyTicketResponse { ticket_id, unbound_worker_ids, warnings, roster_synced_at } = made;
    let warnings = warnings.into_iter().map(Warning::from).collect();
    let roster_synced_at = instant(roster_synced_at);
    answer(CreatedTicket { ticket_id, unbound_worker_ids, warnings, roster_synced_at })
}

/// Every edit by a person, the newest first.
#[utoipa::path(
    get,
    path = "/api/admin/work-tickets/{ticket_id}/history",
    tag = "work tickets",
    params(("ticket_id" = Uuid, Path), Paging),
    responses((status = 200, body = Enveloped<Items<TicketEdit>>))
)]
async fn list_ticket_history(
    call: Call,
    Id(ticket_id): Id,
    Query(paging): Query<Paging>,
) -> Answer<Items<TicketEdit>> {
    let page = paging.page()?;
    let message = ListTicketHistoryRequest { ticket_id, page: Some(wire(page)) };
    let found = ask!(call.ticket.list_ticket_history(message)).await?;
    call.looks_at(&found.site_id).await?;
    answer(Items::new(found.edits, found.total, page))
}

/// Ends one day of a ticket. Cancelling it twice changes nothing.
#[utoipa::path(
    post,
    path = "/api/admin/daily-tickets/{daily_ticket_id}/cancel",
    tag = "work tickets",
    params(("daily_ticket_id" = Uuid, Path), Preview),
    request_body = WhyChanged,
    responses((status = 200, body = Enveloped<CancelledDay>))
)]
async fn cancel_daily_ticket(
    call: Call,
    Id(daily_ticket_id): Id,
    Query(preview): Query<Preview>,
    Command(why): Command<WhyChanged>,
) -> Answer<CancelledDay> {
    let preview = preview.is_asked();
    let message = CancelDailyTicketRequest { daily_ticket_id, reason: why.reason, preview };
    let ended = call.ticket().cancel_daily_ticket(call.command(message)).await?.into_inner();
    let change = TicketChange::told(&call, ended.ticket_id, ended.revision, preview, ended.effects);
    answer(CancelledDay { daily_ticket_id: ended.daily_ticket_id, change: change.await? })
}
