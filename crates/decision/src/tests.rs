//! Setup shared by the tests: a worker who may pass, from which each test takes something away.

mod ahead;
mod explanations;
mod properties;
mod rules;
mod several;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use types::{AreaId, DailyTicketId, InstantWindow, SiteId, SiteZone, TimeWindow, WorkerId};
use uuid::Uuid;

use crate::{
    Controller, DailyTicket, Decision, Direction, Door, DoorKnowledge, Facts, Identity, Person,
    Senses, Training, decide,
};

const SITE: SiteId = SiteId::from_uuid(uuid(1));
const AREA: AreaId = AreaId::from_uuid(uuid(2));
const ELSEWHERE: AreaId = AreaId::from_uuid(uuid(3));

const fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn ticket_id(number: u8) -> DailyTicketId {
    DailyTicketId::from_uuid(uuid(100 + u128::from(number)))
}

/// 2 March 2026 in Shanghai.
fn date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 2).unwrap()
}

/// A time of day on [`date`]; hours from 24 are on the next day.
fn local(hour: i64, minute: i64) -> DateTime<Utc> {
    SiteZone::default().start_of(date()) + TimeDelta::hours(hour) + TimeDelta::minutes(minute)
}

fn span(start: &str, end: &str) -> InstantWindow {
    TimeWindow::parse(start, end).unwrap().on(date(), SiteZone::default())
}

/// 06:00 to 20:00, deadline 07:30, trained at 06:30, proved at the door.
fn good_ticket(number: u8) -> DailyTicket {
    let window = span("06:00", "20:00");
    DailyTicket {
        id: ticket_id(number),
        site: SITE,
        areas: vec![AREA],
        cancelled: false,
        live: DailyTicket::live_span(date(), window, SiteZone::default()),
        window,
        deadline_at: local(7, 30),
        training: Training { completed_at: Some(local(6, 30)), ..Training::default() },
        grant_proved: true,
    }
}

fn night_ticket(number: u8) -> DailyTicket {
    let window = span("20:00", "06:00");
    DailyTicket {
        window,
        live: DailyTicket::live_span(date(), window, SiteZone::default()),
        deadline_at: local(19, 30),
        training: Training { completed_at: Some(local(19, 0)), ..Training::default() },
        ..good_ticket(number)
    }
}

fn facts(tickets: Vec<DailyTicket>) -> Facts {
    Facts {
        site: SITE,
        area: AREA,
        person: bound(),
        door: Door { controller: Controller::Working, senses: Senses::Both },
        emergency_open_until: None,
        tickets,
    }
}

fn bound() -> Person {
    Person::Worker { worker_id: WorkerId::from_uuid(uuid(4)), identity: Identity::Bound }
}

fn unidentified() -> Person {
    Person::Worker { worker_id: WorkerId::from_uuid(uuid(4)), identity: Identity::Unidentified }
}

/// By our rules and what the door holds, entering.
fn enter(facts: &Facts, at: DateTime<Utc>) -> Decision {
    decide(facts, at, Direction::In, DoorKnowledge::Required)
}

/// By our rules alone, entering.
fn ask(facts: &Facts, at: DateTime<Utc>) -> Decision {
    decide(facts, at, Direction::In, DoorKnowledge::Ignored)
}

fn reasons(decision: &Decision) -> Vec<types::ReasonCode> {
    decision.failing.iter().map(|failing| failing.reason).collect()
}
