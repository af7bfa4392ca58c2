//! Text to types; what is no such type is recorded by its field.

use std::fmt;
use std::str::FromStr;

use auth::Caller;
use chrono::{NaiveDate, NaiveTime};
use proto::common::v1::PageRequest;
use proto::ticket::v1::{
    CreateTicketRequest, ExportTicketRequest, GetDailyTicketRequest, ListTicketsRequest,
};
use service::idempotency::Key;
use service::{Fields, Refusal};
use types::{DailyTicketId, InvalidTime, Page, TicketId, parse_time};

use crate::app::CreateTicket;
use crate::domain::{Filter, Listed, Sort, Wanted};

pub(super) const LONGEST_TITLE: usize = 100;
const LONGEST_REMARK: usize = 500;
const LONGEST_KEYWORD: usize = 100;
/// Workers a list is searched by.
const MOST_SEARCHED: usize = 200;

/// One identifier that has to be there.
pub(super) fn id<T: FromStr<Err: fmt::Display>>(field: &str, text: &str) -> Result<T, Refusal> {
    let mut fields = Fields::new();
    let id = fields.parse(field, text);
    fields.finish()?;
    id.ok_or_else(unread)
}

/// What could be read of a request for a ticket; its `fields` hold what could not.
pub(super) fn create_ticket(
    caller: Caller,
    key: Option<Key>,
    message: &CreateTicketRequest,
) -> CreateTicket {
    let mut fields = Fields::new();
    let title = fields.text("title", &message.title, LONGEST_TITLE);
    let site = fields.parse("site_id", &message.site_id);
    let contractor = fields.parse("contractor_id", &message.contractor_id);
    let first_date = required_date(&mut fields, "start_date", &message.start_date);
    let last_date = required_date(&mut fields, "end_date", &message.end_date);
    let access_start =
        time(&mut fields, "access_start_time", &message.access_start_time, parse_time);
    let access_end = time(&mut fields, "access_end_time", &message.access_end_time, parse_end);
    let deadline =
        time(&mut fields, "training_deadline_time", &message.training_deadline_time, parse_time);
    let video_rule = fields.parse_optional("video_rule", &message.video_rule);
    let areas = listed(&mut fields, "area_ids", &message.area_ids);
    let workers = listed(&mut fields, "worker_ids", &message.worker_ids);
    let videos = listed(&mut fields, "video_ids", &message.video_ids);
    let remark = remark(&mut fields, &message.remark);
    CreateTicket {
        caller,
        key,
        fields,
        site,
        contractor,
        title,
        remark,
        first_date,
        last_date,
        access_start,
        access_end,
        deadline,
        video_rule,
        areas,
        workers,
        videos,
        publish_now: message.publish_now,
        daily_reminder: message.daily_reminder,
        draft: message.draft,
        warnings: Vec::new(),
    }
}

pub(super) fn list_tickets(message: &ListTicketsRequest) -> Result<(Filter, Sort, Page), Refusal> {
    let mut fields = Fields::new();
    let site = fields.parse_optional("site_id", &message.site_id);
    let contractor = fields.parse_optional("contractor_id", &message.contractor_id);
    let area = fields.parse_optional("area_id", &message.area_id);
    let one = fields.parse_optional("worker_id", &message.worker_id);
    let many = fields.parse_list("worker_ids", &message.worker_ids);
    fields.check(
        message.worker_ids.is_empty() || message.worker_id.is_empty(),
        "worker_ids",
        "is not for a list that is searched by worker_id",
    );
    fields.check(
        message.worker_ids.len() <= MOST_SEARCHED,
        "worker_ids",
        &format!("holds more than {MOST_SEARCHED}"),
    );
    let filter = Filter {
        site,
        contractor,
        area,
        workers: if many.is_empty() { one.map(|worker| vec![worker]) } else { Some(many) },
        date_from: date(&mut fields, "date_from", &message.date_from),
        date_to: date(&mut fields, "date_to", &message.date_to),
        status: fields.parse_optional("status", &message.status),
        keyword: match message.keyword.trim() {
            "" => None,
            keyword => fields.text("keyword", keyword, LONGEST_KEYWORD),
        },
    };
    if let (Some(from), Some(to)) = (filter.date_from, filter.date_to) {
        fields.check(from <= to, "date_to", "before date_from");
    }
    let sort = fields.parse_optional("sort", &message.sort).unwrap_or_default();
    let page = page(&mut fields, message.page.unwrap_or_default());
    fields.finish()?;
    Ok((filter, sort, page))
}

pub(super) fn get_daily_ticket(
    message: &GetDailyTicketRequest,
) -> Result<(DailyTicketId, Wanted), Refusal> {
    let mut fields = Fields::new();
    let day = fields.parse("daily_ticket_id", &message.daily_ticket_id);
    let training = fields.parse_optional("training_status", &message.training_status);
    let page = page(&mut fields, message.page.unwrap_or_default());
    fields.finish()?;
    let day = day.ok_or_else(unread)?;
    Ok((day, Wanted { training, page }))
}

pub(super) fn export_ticket(message: &ExportTicketRequest) -> Result<(TicketId, Page), Refusal> {
    let mut fields = Fields::new();
    let ticket = fields.parse("ticket_id", &message.ticket_id);
    let page = page(&mut fields, message.page.unwrap_or_default());
    fields.finish()?;
    Ok((ticket.ok_or_else(unread)?, page))
}

fn page(fields: &mut Fields, asked: PageRequest) -> Page {
    Page::from_wire(asked.page, asked.page_size).unwrap_or_else(|problem| {
        fields.problem(&problem.field, problem.problem);
        Page::default()
    })
}

/// Never reached: what could not be read was recorded, and the finish before this refused it.
fn unread() -> Refusal {
    Refusal::new(types::ErrorCode::ValidationFailed)
}

/// May be empty and may have lines.
pub(super) fn remark(fields: &mut Fields, text: &str) -> String {
    let remark = text.trim().to_owned();
    fields.check(
        remark.chars().count() <= LONGEST_REMARK,
        "remark",
        &format!("is longer than {LONGEST_REMARK} characters"),
    );
    // PostgreSQL keeps every character but this one.
    fields.check(!remark.contains('\0'), "remark", "holds control characters");
    remark
}

pub(super) fn listed<T: FromStr<Err: fmt::Display>>(
    fields: &mut Fields,
    field: &str,
    texts: &[String],
) -> Listed<T> {
    let mut read = Vec::with_capacity(texts.len());
    for (place, text) in texts.iter().enumerate() {
        read.extend(fields.parse(&format!("{field}[{place}]"), text).map(|id| (place, id)));
    }
    Listed { named: texts.len(), read }
}

pub(super) fn required_date(fields: &mut Fields, field: &str, text: &str) -> Option<NaiveDate> {
    fields.check(!text.is_empty(), field, "is required");
    date(fields, field, text)
}

/// Only `YYYY-MM-DD`, so that one date has one spelling. Empty is absent.
pub(super) fn date(fields: &mut Fields, field: &str, text: &str) -> Option<NaiveDate> {
    if text.is_empty() {
        return None;
    }
    let date = text.parse::<NaiveDate>().ok().filter(|date| date.to_string() == text);
    fields.check(date.is_some(), field, "not a date as YYYY-MM-DD");
    date
}

pub(super) fn time(
    fields: &mut Fields,
    field: &str,
    text: &str,
    parse: fn(&str) -> Result<NaiveTime, InvalidTime>,
) -> Option<NaiveTime> {
    if text.is_empty() {
        return None;
    }
    parse(text).map_err(|problem| fields.problem(field, problem.to_string())).ok()
}

/// An end may be written as `24:00`: midnight, of the next day.
pub(super) fn parse_end(text: &str) -> Result<NaiveTime, InvalidTime> {
    if text == "24:00" { Ok(NaiveTime::MIN) } else { parse_time(text) }
}

#[cfg(test)]
mod tests {
    use auth::Caller;
    use chrono::NaiveTime;
    use proto::common::v1::PageRequest;
    use proto::ticket::v1::{CreateTicketRequest, ListTicketsRequest};
    use types::AreaId;

    use super::{create_ticket, list_tickets};

    fn names(message: &CreateTicketRequest) -> Vec<String> {
        let cmd = create_ticket(Caller::anonymous(), None, message);
        let Err(refusal) = cmd.fields.finish() else { return Vec::new() };
        refusal.fields.into_iter().map(|problem| problem.field).collect()
    }

    fn message() -> CreateTicketRequest {
        CreateTicketRequest {
            title: "1#楼钢筋绑扎".to_owned(),
            site_id: AreaId::new().to_string(),
            contractor_id: AreaId::new().to_string(),
            start_date: "2026-03-03".to_owned(),
            end_date: "2026-03-05".to_owned(),
            ..CreateTicketRequest::default()
        }
    }

    #[test]
    fn every_field_that_cannot_be_read_is_named_at_once() {
        let message = CreateTicketRequest {
            title: "字".repeat(101),
            site_id: "7".to_owned(),
            contractor_id: String::new(),
            start_date: "2026-3-3".to_owned(),
            end_date: "2026-02-30".to_owned(),
            access_start_time: "24:00".to_owned(),
            access_end_time: "6pm".to_owned(),
            training_deadline_time: "7:30".to_owned(),
            video_rule: "SOME".to_owned(),
            area_ids: vec![AreaId::new().to_string(), "x".to_owned()],
            remark: "字".repeat(501),
            ..CreateTicketRequest::default()
        };
        let wanted = [
            "title",
            "site_id",
            "contractor_id",
            "start_date",
            "end_date",
            "access_start_time",
            "access_end_time",
            "training_deadline_time",
            "video_rule",
            "area_ids[1]",
            "remark",
        ];
        assert_eq!(names(&message), wanted);
    }

    #[test]
    fn a_missing_date_is_named_once() {
        let message = CreateTicketRequest { start_date: String::new(), ..message() };
        assert_eq!(names(&message), ["start_date"]);
    }

    #[test]
    fn a_title_of_a_hundred_characters_fits() {
        assert!(names(&CreateTicketRequest { title: "字".repeat(100), ..message() }).is_empty());
    }

    #[test]
    fn a_window_may_end_at_twenty_four() {
        let message = CreateTicketRequest { access_end_time: "24:00".to_owned(), ..message() };
        let cmd = create_ticket(Caller::anonymous(), None, &message);
        assert_eq!(cmd.access_end, Some(NaiveTime::MIN));
    }

    #[test]
    fn a_list_names_every_bad_filter_at_once() {
        let message = ListTicketsRequest {
            site_id: "x".to_owned(),
            date_from: "2026-03-05".to_owned(),
            date_to: "2026-03-04".to_owned(),
            status: "OPEN".to_owned(),
            page: Some(PageRequest { page: 1, page_size: 201 }),
            ..ListTicketsRequest::default()
        };
        let refusal = list_tickets(&message).unwrap_err();
        let names: Vec<&str> =
            refusal.fields.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(names, ["site_id", "status", "date_to", "page_size"]);
    }
}
