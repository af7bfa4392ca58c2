//! The page of one day of a ticket.

use proto::access_grant::v1::{ExplainRequest, ExplainResponse};
use proto::directory::v1::{NameWorkersRequest, NameWorkersResponse, WorkerRow};
use proto::ticket::v1::{
    GetDailyTicketRequest, GetDailyTicketResponse, GrantProgress, Ticket, WorkerProgress,
};
use serde_json::{Value, json};

use crate::help::{edge, id, keys};
use crate::peers::Asked;
use crate::work_tickets::{day, reads_roster};

#[tokio::test]
async fn a_day_s_page_joins_names_and_lives_without_them() {
    let edge = edge().await;
    let workers = [id(), id()];
    let named = workers[0].clone();
    edge.fakes.on("TicketService/GetDailyTicket", move |_: GetDailyTicketRequest| {
        let workers = workers.iter().map(|worker| WorkerProgress {
            worker_id: worker.clone(),
            training_status: "NOT_STARTED".to_owned(),
            ..WorkerProgress::default()
        });
        Ok(GetDailyTicketResponse {
            ticket: Some(Ticket { area_ids: vec![id()], ..Ticket::default() }),
            daily_ticket: Some(day()),
            workers: workers.collect(),
            total: 2,
        })
    });
    let path = format!("/api/admin/daily-tickets/{}", id());
    let nameless = edge.get(&edge.sysadmin(), &path).await;
    assert_eq!(nameless.data()["workers"][0]["name"], Value::Null);

    edge.fakes.on("DirectoryService/NameWorkers", move |_: NameWorkersRequest| {
        let row = WorkerRow {
            worker_id: named.clone(),
            name: "测试工人01".to_owned(),
            ..WorkerRow::default()
        };
        Ok(NameWorkersResponse { workers: vec![row] })
    });
    reads_roster(&edge);
    let found = edge.get(&edge.sysadmin(), &path).await;
    assert_eq!(found.data()["roster_synced_at"], "2026-03-01T23:05:09Z");
    let worker = &found.data()["workers"][0];
    assert_eq!(worker["name"], "测试工人01");
    assert_eq!(
        keys(worker),
        [
            "authorized",
            "bound",
            "completed_at",
            "grants",
            "id_no",
            "name",
            "notified",
            "phone",
            "progress",
            "read",
            "training_status",
            "why_not",
            "worker_id",
        ]
    );
    // One batch a page, and an explanation for each worker who is not authorized.
    assert_eq!(edge.fakes.asked("DirectoryService/NameWorkers").len(), 2);
    assert_eq!(edge.fakes.asked("AccessGrantService/Explain").len(), 4);
}

#[tokio::test]
async fn whoever_is_not_authorized_is_told_why_at_the_first_area_that_is_not_proved() {
    let edge = edge().await;
    let (first, second) = (id(), id());
    let areas = [first.clone(), second.clone()];
    let area_ids = areas.to_vec();
    let grants = move |statuses: [&str; 2]| {
        let grants = areas.iter().zip(statuses).map(|(area_id, status)| GrantProgress {
            grant_id: id(),
            area_id: area_id.clone(),
            status: status.to_owned(),
        });
        WorkerProgress { worker_id: id(), grants: grants.collect(), ..WorkerProgress::default() }
    };
    edge.fakes.on("TicketService/GetDailyTicket", move |_: GetDailyTicketRequest| {
        let mut workers = vec![
            grants(["SYNCED", "SYNC_FAILED"]),
            grants(["PENDING_SYNC", "SYNCED"]),
            // Proved everywhere, and a proof of before said no.
            grants(["SYNCED", "SYNCED"]),
            WorkerProgress { authorized: true, ..grants(["SYNCED", "SYNCED"]) },
        ];
        // The longest page there is.
        workers.extend((4..200).map(|_| grants(["REVOKED", "REVOKED"])));
        Ok(GetDailyTicketResponse {
            ticket: Some(Ticket { area_ids: area_ids.clone(), ..Ticket::default() }),
            daily_ticket: Some(day()),
            workers,
            total: 200,
        })
    });
    edge.fakes.on("AccessGrantService/Explain", |asked: ExplainRequest| {
        Ok(ExplainResponse { detail: asked.area_id, ..ExplainResponse::default() })
    });
    let path = format!("/api/admin/daily-tickets/{}?page_size=200", id());
    let shown = edge.get(&edge.sysadmin(), &path).await;
    let workers = shown.data()["workers"].as_array().unwrap();
    let told: Vec<&Value> = workers.iter().map(|worker| &worker["why_not"]["detail"]).collect();
    assert_eq!(told[..4], [&json!(second), &json!(first), &json!(first), &Value::Null]);
    assert!(told[4..].iter().all(|area| **area == json!(first)) && told.len() == 200);
}

#[tokio::test]
async fn a_day_s_page_comes_without_the_explanations_that_do_not_come_in_time() {
    let edge = edge().await;
    let worker_ids: Vec<String> = (0..200).map(|_| id()).collect();
    let explained = worker_ids[..4].to_vec();
    edge.fakes.on("TicketService/GetDailyTicket", move |_: GetDailyTicketRequest| {
        let workers = worker_ids.iter().map(|worker_id| WorkerProgress {
            worker_id: worker_id.clone(),
            ..WorkerProgress::default()
        });
        Ok(GetDailyTicketResponse {
            ticket: Some(Ticket { area_ids: vec![id()], ..Ticket::default() }),
            daily_ticket: Some(day()),
            workers: workers.collect(),
            total: 200,
        })
    });
    // To wait for all that never come, a few at a time, takes longer than a request may.
    edge.fakes.on_slow("AccessGrantService/Explain", move |asked: ExplainRequest| {
        let comes = explained.contains(&asked.worker_id);
        async move {
            if !comes {
                std::future::pending::<()>().await;
            }
            Ok(ExplainResponse::default())
        }
    });
    let path = format!("/api/admin/daily-tickets/{}?page_size=200", id());
    let shown = edge.get(&edge.sysadmin(), &path).await;
    let workers = shown.data()["workers"].as_array().unwrap();
    let told: Vec<&Value> = workers.iter().map(|worker| worker.get("why_not").unwrap()).collect();
    assert!(told[..4].iter().all(|why_not| why_not.is_object()), "{:?}", &told[..4]);
    assert!(told[4..].iter().all(|why_not| why_not.is_null()) && told.len() == 200);
}

#[tokio::test]
async fn a_day_s_workers_are_shown_in_parts_like_every_list() {
    let edge = edge().await;
    edge.fakes.on("TicketService/GetDailyTicket", |_: GetDailyTicketRequest| {
        let worker = WorkerProgress {
            worker_id: id(),
            completed_videos: 1,
            required_videos: 2,
            ..WorkerProgress::default()
        };
        Ok(GetDailyTicketResponse {
            ticket: Some(Ticket::default()),
            daily_ticket: Some(day()),
            workers: vec![worker],
            total: 501,
        })
    });
    let path = format!("/api/admin/daily-tickets/{}", id());
    let first = edge.get(&edge.sysadmin(), &path).await;
    let shown = ["total", "page", "page_size"].map(|field| first.data()[field].clone());
    assert_eq!(shown, [json!(501), json!(1), json!(20)]);
    let progress = &first.data()["workers"][0]["progress"];
    assert_eq!(*progress, json!({"completed": 1, "required": 2}));
    let query = format!("{path}?training_status=FAILED&page=3&page_size=100");
    let part = edge.get(&edge.sysadmin(), &query).await;
    let shown = ["page", "page_size"].map(|field| part.data()[field].clone());
    assert_eq!(shown, [json!(3), json!(100)]);
    let asked = edge.fakes.asked("TicketService/GetDailyTicket");
    let asked: Vec<GetDailyTicketRequest> = asked.iter().map(Asked::message).collect();
    let pages = asked.iter().map(|asked| asked.page.map(|page| (page.page, page.page_size)));
    assert_eq!(pages.collect::<Vec<_>>(), [Some((1, 20)), Some((3, 100))]);
    assert_eq!(asked[1].training_status, "FAILED");
    let bad = edge.get(&edge.sysadmin(), &format!("{path}?page_size=201")).await;
    assert_eq!((bad.code(), bad.fields()), (40001, vec!["page_size".to_owned()]));
}
