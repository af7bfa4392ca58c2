//! Requests that change a ticket: text to types; what is no such type is recorded by its field.

use auth::Caller;
use chrono::NaiveTime;
use proto::ticket::v1::{
    AddWorkersRequest, AmendTicketRequest, CancelDailyTicketRequest, CopyTicketRequest, Ids,
    ListTicketHistoryRequest, RemoveWorkerRequest,
};
use service::idempotency::Key;
use service::{Fields, Refusal};
use types::{ErrorCode, InvalidTime, Page, TicketId, TimeWindow, parse_time};

use super::LONGEST_REASON;
use super::read::{LONGEST_TITLE, date, listed, parse_end, remark, required_date, time};
use crate::app::{AmendTicket, CancelDailyTicket, CopyTicket, Workers};
use crate::domain::Amendment;

/// What could be read of an amendment; its `fields` hold what could not.
pub(super) fn amend_ticket(
    caller: Caller,
    message: &AmendTicketRequest,
) -> Result<AmendTicket, Refusal> {
    let mut fields = Fields::new();
    let ticket = fields.parse("ticket_id", &message.ticket_id);
    fields.check(message.revision > 0, "revision", "is required");
    let reason = fields.text("reason", &message.reason, LONGEST_REASON);
    let title = message.title.as_ref().and_then(|text| fields.text("title", text, LONGEST_TITLE));
    let start = message.access_start_time.as_deref();
    let start = given_time(&mut fields, "access_start_time", start, parse_time);
    let end = message.access_end_time.as_deref();
    let end = given_time(&mut fields, "access_end_time", end, parse_end);
    let pair = |one: &Option<String>, other: &Option<String>| one.is_some() || other.is_none();
    let (has_start, has_end) = (&message.access_start_time, &message.access_end_time);
    fields.check(pair(has_start, has_end), "access_start_time", "is required");
    fields.check(pair(has_end, has_start), "access_end_time", "is required");
    let deadline = message.training_deadline_time.as_deref();
    let deadline = given_time(&mut fields, "training_deadline_time", deadline, parse_time);
    let video_rule = message.video_rule.as_ref().and_then(|text| fields.parse("video_rule", text));
    let remark = message.remark.as_ref().map(|text| remark(&mut fields, text));
    let first_date =
        message.start_date.as_ref().and_then(|text| required_date(&mut fields, "start_date", text));
    let last_date =
        message.end_date.as_ref().and_then(|text| required_date(&mut fields, "end_date", text));
    let areas = message.area_ids.as_ref().map(|Ids { ids }| listed(&mut fields, "area_ids", ids));
    let workers =
        message.worker_ids.as_ref().map(|Ids { ids }| listed(&mut fields, "worker_ids", ids));
    let videos =
        message.video_ids.as_ref().map(|Ids { ids }| listed(&mut fields, "video_ids", ids));
    let (fields, ticket) = whose(fields, ticket)?;
    Ok(AmendTicket {
        caller,
        ticket,
        revision: Some(message.revision),
        reason,
        preview: message.preview,
        fields,
        amendment: Amendment {
            title,
            remark,
            window: start.zip(end).map(|(start, end)| TimeWindow { start, end }),
            deadline,
            video_rule,
            publish_now: message.publish_now,
            daily_reminder: message.daily_reminder,
            first_date,
            last_date,
            ..Amendment::default()
        },
        areas,
        videos,
        workers: workers.map_or(Workers::Stay, Workers::Are),
    })
}

pub(super) fn add_workers(
    caller: Caller,
    message: &AddWorkersRequest,
) -> Result<AmendTicket, Refusal> {
    let mut fields = Fields::new();
    let ticket = fields.parse("ticket_id", &message.ticket_id);
    let reason = fields.text("reason", &message.reason, LONGEST_REASON);
    let workers = listed(&mut fields, "worker_ids", &message.worker_ids);
    let (fields, ticket) = whose(fields, ticket)?;
    let workers = Workers::And(workers);
    Ok(of_workers(caller, ticket, reason, message.preview, fields, workers))
}

pub(super) fn remove_worker(
    caller: Caller,
    message: &RemoveWorkerRequest,
) -> Result<AmendTicket, Refusal> {
    let mut fields = Fields::new();
    let ticket = fields.parse("ticket_id", &message.ticket_id);
    let worker = fields.parse("worker_id", &message.worker_id);
    let reason = fields.text("reason", &message.reason, LONGEST_REASON);
    fields.finish()?;
    let (Some(ticket), Some(worker)) = (ticket, worker) else { return Err(unread()) };
    let workers = Workers::Without(worker);
    Ok(of_workers(caller, ticket, reason, message.preview, Fields::new(), workers))
}

fn of_workers(
    caller: Caller,
    ticket: TicketId,
    reason: Option<String>,
    preview: bool,
    fields: Fields,
    workers: Workers,
) -> AmendTicket {
    let (amendment, areas, videos) = (Amendment::default(), None, None);
    let revision = None;
    AmendTicket {
        caller,
        ticket,
        revision,
        reason,
        preview,
        fields,
        amendment,
        areas,
        videos,
        workers,
    }
}

pub(super) fn cancel_daily_ticket(
    message: &CancelDailyTicketRequest,
) -> Result<CancelDailyTicket, Refusal> {
    let mut fields = Fields::new();
    let day = fields.parse("daily_ticket_id", &message.daily_ticket_id);
    let reason = fields.text("reason", &message.reason, LONGEST_REASON);
    fields.finish()?;
    let (Some(day), Some(reason)) = (day, reason) else { return Err(unread()) };
    Ok(CancelDailyTicket { day, reason, preview: message.preview })
}

pub(super) fn copy_ticket(
    caller: Caller,
    key: Option<Key>,
    message: &CopyTicketRequest,
) -> Result<CopyTicket, Refusal> {
    let mut fields = Fields::new();
    let ticket = fields.parse("ticket_id", &message.ticket_id);
    let first_date = required_date(&mut fields, "start_date", &message.start_date);
    let last_date = date(&mut fields, "end_date", &message.end_date);
    let title = match message.title.trim() {
        "" => None,
        title => fields.text("title", title, LONGEST_TITLE),
    };
    // A title or an end that cannot be read is not the original's.
    fields.finish()?;
    let Some(ticket) = ticket else { return Err(unread()) };
    let fields = Fields::new();
    Ok(CopyTicket { caller, key, fields, ticket, first_date, last_date, title })
}

pub(super) fn list_ticket_history(
    message: &ListTicketHistoryRequest,
) -> Result<(TicketId, Page), Refusal> {
    let mut fields = Fields::new();
    let ticket = fields.parse("ticket_id", &message.ticket_id);
    let page = message.page.unwrap_or_default();
    let page = Page::from_wire(page.page, page.page_size).unwrap_or_else(|problem| {
        fields.problem(&problem.field, problem.problem);
        Page::default()
    });
    fields.finish()?;
    let Some(ticket) = ticket else { return Err(unread()) };
    Ok((ticket, page))
}

/// Without knowing which ticket, nothing more can be judged.
fn whose(fields: Fields, ticket: Option<TicketId>) -> Result<(Fields, TicketId), Refusal> {
    let Some(ticket) = ticket else {
        fields.finish()?;
        return Err(unread());
    };
    Ok((fields, ticket))
}

/// A time that is given is not empty.
fn given_time(
    fields: &mut Fields,
    field: &str,
    text: Option<&str>,
    parse: fn(&str) -> Result<NaiveTime, InvalidTime>,
) -> Option<NaiveTime> {
    let text = text?;
    fields.check(!text.is_empty(), field, "is required");
    time(fields, field, text, parse)
}

/// Never reached: what could not be read was recorded, and the finish before this refused it.
fn unread() -> Refusal {
    Refusal::new(ErrorCode::ValidationFailed)
}
