//! Tickets that the rules are tried on.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use types::{
    AccountId, AreaId, ContractorId, DailyTicketId, SiteId, SiteZone, TicketId, TimeWindow,
    VideoId, WorkerId,
};

use super::{DayStatus, Deadline, Leads, NewTicket, Published, Terms, Ticket, VideoRule};

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// 3 to 5 March 2026 in Shanghai, a draft made on the 2nd.
pub(super) fn draft() -> Ticket {
    spanning("2026-03-03", "2026-03-05", "06:00", "20:00")
}

pub(super) fn spanning(first: &str, last: &str, start: &str, end: &str) -> Ticket {
    in_zone(SiteZone::default(), first, last, start, end)
}

pub(super) fn in_zone(zone: SiteZone, first: &str, last: &str, start: &str, end: &str) -> Ticket {
    let new = NewTicket {
        id: TicketId::new(),
        site: SiteId::new(),
        contractor: ContractorId::new(),
        title: "1#楼钢筋绑扎".to_owned(),
        remark: String::new(),
        first_date: date(first),
        last_date: date(last),
        terms: Terms {
            zone,
            window: TimeWindow::parse(start, end).unwrap(),
            deadline: Deadline::SiteDefault(NaiveTime::from_hms_opt(7, 30, 0).unwrap()),
            leads: Leads::default(),
            video_rule: VideoRule::All,
            publish_now: true,
            daily_reminder: true,
        },
        areas: vec![AreaId::new()],
        workers: vec![WorkerId::new()],
        videos: vec![VideoId::new()],
        created_by: AccountId::new(),
        created_at: at("2026-03-02T00:00:00Z"),
    };
    Ticket::draft(new, DailyTicketId::new)
}

pub(super) fn published(now: DateTime<Utc>) -> Ticket {
    made_public(draft(), now)
}

pub(super) fn made_public(mut ticket: Ticket, now: DateTime<Utc>) -> Ticket {
    assert_eq!(ticket.publish(AccountId::new(), now), Ok(Published::Now { at: now }));
    ticket
}

pub(super) fn statuses(ticket: &Ticket) -> Vec<DayStatus> {
    ticket.days.iter().map(super::DailyTicket::status).collect()
}
