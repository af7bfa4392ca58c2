mod amend;
mod effects;
pub(super) mod shown;

use chrono::{DateTime, NaiveDate, Utc};
use proto::ticket::v1::{
    self as ticket, CancelTicketRequest, CreateTicketRequest, GetTicketRequest, ListTicketsRequest,
    PublishTicketRequest,
};
use serde::{Deserialize, Serialize};
use types::ErrorCode;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use self::amend::Preview;
use self::effects::{TicketChange, Warning};
use self::shown::TicketDetail;
use crate::answer::{Answer, Enveloped, Items, answer, instant};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Id, Listed, Query, TimeOfDay, id, ids, wire};

/// The contract's words and ours.
const WORDS: &[(&str, &str)] = &[
    ("access_start_time", "access_time_window.start"),
    ("access_end_time", "access_time_window.end"),
    ("training_deadline_time", "training_deadline"),
    ("publish_now", "notify_policy.publish_now"),
    ("daily_reminder", "notify_policy.daily_reminder"),
    ("revision", "version"),
];

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_work_tickets, create_work_ticket))
        .routes(routes!(get_work_ticket))
        .routes(routes!(publish_work_ticket))
        .routes(routes!(cancel_work_ticket))
        .merge(amend::router())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTicket {
    #[schema(min_length = 1)]
    title: String,
    site_id: Uuid,
    contractor_id: Uuid,
    start_date: NaiveDate,
    end_date: NaiveDate,
    /// The site's own when absent.
    access_time_window: Option<Window>,
    /// The site's own when absent.
    training_deadline: Option<TimeOfDay>,
    #[schema(min_items = 1)]
    area_ids: Vec<Uuid>,
    #[schema(min_items = 1)]
    worker_ids: Vec<Uuid>,
    #[schema(min_items = 1)]
    video_ids: Vec<Uuid>,
    #[serde(default)]
    #[schema(required = false)]
    notify_policy: NotifyPolicy,
    remark: Option<String>,
    /// Stays a draft until it is published.
    #[serde(default)]
    draft: bool,
    video_rule: Option<VideoRule>,
}

/// An end at or before the start is on the next day.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Window {
    start: TimeOfDay,
    end: TimeOfDay,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NotifyPolicy {
    /// Workers are told at once; the site's default when absent.
    publish_now: Option<bool>,
    /// Workers are reminded each morning; the site's default when absent.
    daily_reminder: Option<bool>,
}

/// Whether a day asks for every video or for any one of them.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum VideoRule {
    All,
    Any,
}

impl VideoRule {
    const fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Any => "ANY",
        }
    }
}

impl From<NewTicket> for CreateTicketRequest {
    fn from(new: NewTicket) -> Self {
        let (start, end) = match new.access_time_window {
            Some(Window { start: TimeOfDay(start), end: TimeOfDay(end) }) => (start, end),
            None => (String::new(), String::new()),
        };
        Self {
            title: new.title,
            site_id: new.site_id.to_string(),
            contractor_id: new.contractor_id.to_string(),
            start_date: new.start_date.to_string(),
            end_date: new.end_date.to_string(),
            access_start_time: start,
            access_end_time: end,
            training_deadline_time: new
                .training_deadline
                .map(|TimeOfDay(text)| text)
                .unwrap_or_default(),
            area_ids: ids(&new.area_ids),
            worker_ids: ids(&new.worker_ids),
            video_ids: ids(&new.video_ids),
            publish_now: new.notify_policy.publish_now,
            daily_reminder: new.notify_policy.daily_reminder,
            remark: new.remark.unwrap_or_default(),
            draft: new.draft,
            video_rule: new.video_rule.map_or("", VideoRule::as_str).to_owned(),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct CreatedTicket {
    ticket_id: String,
    /// On the ticket, and not yet reachable by WeChat.
    unbound_worker_ids: Vec<String>,
    warnings: Vec<Warning>,
    /// When the roster was last read from the real-name system, by which its people were checked; null: never.
    roster_synced_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct PublishedTicket {
    ticket_id: String,
    published_at: Option<DateTime<Utc>>,
    warnings: Vec<Warning>,
    /// When the roster was last read from the real-name system, by which its people were checked; null: never, or the
    /// ticket was public already.
    roster_synced_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Cancel {
    #[schema(min_length = 1)]
    reason: String,
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Option<Uuid>,
    contractor_id: Option<Uuid>,
    area_id: Option<Uuid>,
    worker_id: Option<Uuid>,
    date_from: Option<NaiveDate>,
    date_to: Option<NaiveDate>,
    /// DRAFT, ACTIVE or CANCELLED.
    status: Option<String>,
    /// A part of the title.
    keyword: Option<String>,
    /// `start_date`, `end_date`, `created_at` or title, with - before it for the greatest first; -`start_date` when
    /// absent.
    sort: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct TicketRow {
    ticket_id: String,
    site_id: String,
    contractor_id: String,
    title: String,
    start_date: String,
    end_date: String,
    status: String,
    worker_count: u32,
    created_at: Option<DateTime<Utc>>,
}

impl From<ticket::TicketRow> for TicketRow {
    fn from(row: ticket::TicketRow) -> Self {
        Self {
            ticket_id: row.ticket_id,
            site_id: row.site_id,
            contractor_id: row.contractor_id,
            title: row.title,
            start_date: row.start_date,
            end_date: row.end_date,
            status: row.status,
            worker_count: row.worker_count,
            created_at: instant(row.created_at),
        }
    }
}

#[utoipa::path(
    get,
    path = "/api/admin/work-tickets",
    tag = "work tickets",
    params(Listed<Filter>),
    responses((status = 200, body = Enveloped<Items<TicketRow>>))
)]
async fn list_work_tickets(
    call: Call,
    Query(listed): Query<Listed<Filter>>,
) -> Answer<Items<TicketRow>> {
    let (filter, page) = (listed.filter, listed.paging.page()?);
    let date = |date: Option<NaiveDate>| date.map(|date| date.to_string()).unwrap_or_default();
    let message = ListTicketsRequest {
        site_id: id(filter.site_id),
        contractor_id: id(filter.contractor_id),
        area_id: id(filter.area_id),
        date_from: date(filter.date_from),
        date_to: date(filter.date_to),
        status: filter.status.unwrap_or_default(),
        keyword: filter.keyword.unwrap_or_default(),
        worker_id: id(filter.worker_id),
        sort: filter.sort.unwrap_or_default(),
        page: Some(wire(page)),
        ..ListTicketsRequest::default()
    };
    let found = ask!(call.ticket.list_tickets(message)).await?;
    answer(Items::new(found.tickets, found.total, page))
}

/// Makes a ticket and its days, and publishes it unless it is a draft.
#[utoipa::path(
    post,
    path = "/api/admin/work-tickets",
    tag = "work tickets",
    request_body = NewTicket,
    responses((status = 200, body = Enveloped<CreatedTicket>))
)]
async fn create_work_ticket(call: Call, Command(new): Command<NewTicket>) -> Answer<CreatedTicket> {
    let message = CreateTicketRequest::from(new);
    let created = call.ticket().create_ticket(call.command(message)).await;
    let created = created.map_err(|status| Failure::renamed(&status, WORDS))?;
    let ticket::CreateTicketResponse { ticket_id, unbound_worker_ids, warnings, roster_synced_at } =
        created.into_inner();
    let warnings = warnings.into_iter().map(Warning::from).collect();
    let roster_synced_at = instant(roster_synced_at);
    answer(CreatedTicket { ticket_id, unbound_worker_ids, warnings, roster_synced_at })
}

/// The ticket, and for each day how far training and access are.
#[utoipa::path(
    get,
    path = "/api/admin/work-tickets/{ticket_id}",
    tag = "work tickets",
    params(("ticket_id" = Uuid, Path)),
    responses((status = 200, body = Enveloped<TicketDetail>))
)]
async fn get_work_ticket(call: Call, Id(ticket_id): Id) -> Answer<TicketDetail> {
    let found = ask!(call.ticket.get_ticket(GetTicketRequest { ticket_id })).await?;
    let ticket = found.ticket.ok_or_else(|| Failure::new(ErrorCode::Internal))?;
    let (looked, roster_synced_at) =
        tokio::join!(call.looks_at(&ticket.site_id), call.roster_synced_at(&ticket.site_id));
    looked?;
    answer(TicketDetail::new(ticket, found.days, found.warnings, roster_synced_at))
}

/// Makes a draft visible, if such a ticket could be made now. Publishing twice changes nothing.
#[utoipa::path(
    post,
    path = "/api/admin/work-tickets/{ticket_id}/publish",
    tag = "work tickets",
    params(("ticket_id" = Uuid, Path)),
    responses((status = 200, body = Enveloped<PublishedTicket>))
)]
async fn publish_work_ticket(call: Call, Id(ticket_id): Id) -> Answer<PublishedTicket> {
    let request = call.command(PublishTicketRequest { ticket_id });
    let published = call.ticket().publish_ticket(request).await?.into_inner();
    answer(PublishedTicket {
        ticket_id: published.ticket_id,
        published_at: instant(published.published_at),
        warnings: published.warnings.into_iter().map(Warning::from).collect(),
        roster_synced_at: instant(published.roster_synced_at),
    })
}

/// Ends the ticket and every day of it that is not over. Cancelling twice changes nothing.
#[utoipa::path(
    post,
    path = "/api/admin/work-tickets/{ticket_id}/cancel",
    tag = "work tickets",
    params(("ticket_id" = Uuid, Path), Preview),
    request_body = Cancel,
    responses((status = 200, body = Enveloped<TicketChange>))
)]
async fn cancel_work_ticket(
    call: Call,
    Id(ticket_id): Id,
    Query(preview): Query<Preview>,
    Command(cancel): Command<Cancel>,
) -> Answer<TicketChange> {
    let preview = preview.is_asked();
    let message = CancelTicketRequest { ticket_id, reason: cancel.reason, preview };
    let ended = call.ticket().cancel_ticket(call.command(message)).await?.into_inner();
    answer(
        TicketChange::told(&call, ended.ticket_id, ended.revision, preview, ended.effects).await?,
    )
}
