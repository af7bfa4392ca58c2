//! A ticket's workbook.

use std::sync::atomic::{AtomicUsize, Ordering};

use proto::directory::v1::{NameWorkersRequest, NameWorkersResponse, WorkerRow};
use proto::ticket::v1::{
    AccessCounts, DailyTicket, ExportTicketRequest, ExportTicketResponse, ExportedDay,
    ExportedWorker, Ticket,
};
use reqwest::Method;
use sheets::{Cell, Limits};
use types::{ErrorCode, Role};

use crate::help::{Edge, edge, id};
use crate::rosters::worker;

const EXPORT: &str = "TicketService/ExportTicket";

/// A ticket of so many workers and two days.
fn ticket_of(edge: &Edge, count: usize) {
    edge.fakes.on(EXPORT, move |asked: ExportTicketRequest| {
        let page = asked.page.unwrap();
        let first = (page.page as usize - 1) * page.page_size as usize;
        let day = |date: &str, status: &str| ExportedDay {
            daily_ticket_id: date.to_owned(),
            training_status: status.to_owned(),
            // 2 March 2026, 07:05:09 in Shanghai.
            completed_at: (status == "COMPLETED")
                .then_some(prost_types::Timestamp { seconds: 1_772_406_309, nanos: 0 }),
            authorized: status == "COMPLETED",
            grants: Some(AccessCounts { synced: 2, sync_failed: 1, ..AccessCounts::default() }),
        };
        let workers =
            (first..count.min(first + page.page_size as usize)).map(|number| ExportedWorker {
                worker_id: format!("w{number}"),
                bound: number != 1,
                // The second was not on the ticket yet when its first day was over.
                days: [("2026-03-02", "COMPLETED"), ("2026-03-03", "NOT_STARTED")]
                    .into_iter()
                    .skip(usize::from(number == 1))
                    .map(|(date, status)| day(date, status))
                    .collect(),
            });
        let daily = |date: &str| DailyTicket {
            // Any text, here the date's own.
            daily_ticket_id: date.to_owned(),
            date: date.to_owned(),
            status: "IN_PROGRESS".to_owned(),
            ..DailyTicket::default()
        };
        let ticket = Ticket {
            time_zone: "Asia/Shanghai".to_owned(),
            daily_tickets: vec![daily("2026-03-02"), daily("2026-03-03")],
            ..Ticket::default()
        };
        Ok(ExportTicketResponse {
            ticket: Some(ticket),
            workers: workers.collect(),
            total: u32::try_from(count).unwrap(),
        })
    });
}

async fn exported(edge: &Edge) -> Vec<sheets::Row> {
    let path = format!("/api/admin/work-tickets/{}/export", id());
    let token = edge.admin(Role::ContractorAdmin);
    let got = edge.request(Method::GET, &path).bearer_auth(token).send().await.unwrap();
    assert_eq!(got.status().as_u16(), 200);
    assert_eq!(got.headers()["cache-control"], "no-store");
    let limits = Limits { rows: 100_000, ..Limits::default() };
    sheets::read(&got.bytes().await.unwrap(), limits).unwrap()
}

#[tokio::test]
async fn an_export_has_a_row_for_each_person_and_day_with_masked_numbers() {
    let edge = edge().await;
    ticket_of(&edge, 2);
    edge.fakes.on("DirectoryService/NameWorkers", |_: NameWorkersRequest| {
        let named = WorkerRow { name: "=cmd|' /C calc'!A0".to_owned(), ..worker(1) };
        Ok(NameWorkersResponse { workers: vec![worker(0), named] })
    });
    let rows = exported(&edge).await;
    assert_eq!(rows.len(), 1 + 2 + 1);
    let texts = |row: usize| -> Vec<&str> {
        let text = |cell| match cell {
            &Cell::Empty => "",
            Cell::Text(text) => text.as_str(),
            other => panic!("{other:?}"),
        };
        rows[row].cells.iter().map(text).collect()
    };
    let wanted = [
        "2026-03-02",
        "IN_PROGRESS",
        "测试工人00",
        "659***********0013",
        "199****0001",
        "yes",
        "COMPLETED",
        "2026-03-02 07:05:09",
        "yes",
        "2",
        "1",
        "0",
    ];
    assert_eq!(texts(1), wanted);
    assert_eq!((texts(2)[0], texts(2)[6], texts(2)[7]), ("2026-03-03", "NOT_STARTED", ""));
    // A text, whatever it begins with.
    let second = (texts(3)[0], texts(3)[2], texts(3)[5], texts(3)[6]);
    assert_eq!(second, ("2026-03-03", "=cmd|' /C calc'!A0", "no", "NOT_STARTED"));
}

#[tokio::test]
async fn an_export_of_many_is_asked_for_some_at_a_time() {
    let edge = edge().await;
    ticket_of(&edge, 450);
    edge.fakes.on("DirectoryService/NameWorkers", |_: NameWorkersRequest| {
        Ok(NameWorkersResponse { workers: vec![worker(0)] })
    });
    assert_eq!(exported(&edge).await.len(), 1 + 450 * 2 - 1);
    assert_eq!(edge.fakes.asked(EXPORT).len(), 3);
    assert_eq!(
        edge.fakes.asked("DirectoryService/ListRosterReadings").len(),
        1,
        "the roster's age"
    );
}

/// A ticket of one day and 250 workers that `version` tells of at each question.
fn ticket_that_changes(edge: &Edge, version: impl Fn(usize) -> u64 + Send + Sync + 'static) {
    let questions = AtomicUsize::new(0);
    edge.fakes.on(EXPORT, move |asked: ExportTicketRequest| {
        let version = version(questions.fetch_add(1, Ordering::Relaxed));
        let page = asked.page.unwrap();
        let day = DailyTicket { daily_ticket_id: version.to_string(), ..DailyTicket::default() };
        let workers = (0..if page.page == 1 { 200 } else { 50 }).map(|number| ExportedWorker {
            worker_id: format!("w{}-{number}", page.page),
            days: vec![ExportedDay {
                daily_ticket_id: version.to_string(),
                ..ExportedDay::default()
            }],
            ..ExportedWorker::default()
        });
        Ok(ExportTicketResponse {
            ticket: Some(Ticket { version, daily_tickets: vec![day], ..Ticket::default() }),
            workers: workers.collect(),
            total: 250,
        })
    });
    edge.fakes.on("DirectoryService/NameWorkers", |_: NameWorkersRequest| {
        Ok(NameWorkersResponse { workers: vec![worker(0)] })
    });
}

#[tokio::test]
async fn an_export_whose_ticket_changes_between_two_pages_is_begun_again() {
    let edge = edge().await;
    // Amended after the first page.
    ticket_that_changes(&edge, |question| if question == 0 { 7 } else { 8 });
    assert_eq!(exported(&edge).await.len(), 1 + 250);
    let pages: Vec<u32> = edge
        .fakes
        .asked(EXPORT)
        .iter()
        .map(|asked| asked.message::<ExportTicketRequest>().page.unwrap().page)
        .collect();
    assert_eq!(pages, [1, 2, 1, 2]);
}

#[tokio::test]
async fn an_export_of_a_ticket_that_does_not_hold_still_ends() {
    let edge = edge().await;
    ticket_that_changes(&edge, |question| u64::try_from(question).unwrap());
    let path = format!("/api/admin/work-tickets/{}/export", id());
    assert_eq!(edge.get(&edge.sysadmin(), &path).await.code(), 40901);
    assert_eq!(edge.fakes.asked(EXPORT).len(), 6);
}

#[tokio::test]
async fn an_export_without_names_or_out_of_reach_is_refused() {
    let edge = edge().await;
    ticket_of(&edge, 1);
    let path = format!("/api/admin/work-tickets/{}/export", id());
    assert_eq!(edge.get(&edge.sysadmin(), &path).await.code(), 50301);
    edge.fakes.refuse(EXPORT, ErrorCode::NotFound);
    assert_eq!(edge.get(&edge.sysadmin(), &path).await.code(), 40400);
}
