use proto::directory::v1::{ListRosterReadingsRequest, ListRosterReadingsResponse};
use proto::ticket::v1::{
    AccessCounts, CreateTicketRequest, CreateTicketResponse, DailyTicket, DayCounts,
    GetTicketRequest, GetTicketResponse, ListTicketsRequest, ListTicketsResponse,
    PublishTicketRequest, PublishTicketResponse, Ticket, TicketRow, TrainingCounts, Warning,
};
use serde_json::{Value, json};
use service::Refusal;
use types::{ErrorCode, Role};

use crate::help::{Edge, edge, id, keys};

const CREATE: &str = "TicketService/CreateTicket";

/// The request of PRD 9.3.1, with ids as ours are.
fn new_ticket() -> Value {
    json!({
        "title": "1#楼钢筋绑扎",
        "site_id": id(),
        "contractor_id": id(),
        "start_date": "2026-01-10",
        "end_date": "2026-01-12",
        "access_time_window": {"start": "06:00", "end": "20:00"},
        "training_deadline": "07:30",
        "area_ids": [id()],
        "worker_ids": [id(), id()],
        "video_ids": [id()],
        "notify_policy": {"publish_now": true, "daily_reminder": true},
        "remark": "",
    })
}

#[tokio::test]
async fn a_ticket_is_made_as_the_requirements_say() {
    let edge = edge().await;
    edge.fakes.on(CREATE, |_: CreateTicketRequest| {
        Ok(CreateTicketResponse {
            ticket_id: "t".to_owned(),
            unbound_worker_ids: vec!["w".to_owned()],
            warnings: Vec::new(),
            roster_synced_at: None,
        })
    });
    let new = new_ticket();
    let made = edge.post(&edge.admin(Role::ContractorAdmin), "/api/admin/work-tickets", &new).await;
    let said = json!({"ticket_id": "t", "unbound_worker_ids": ["w"], "warnings": [], "roster_synced_at": null});
    assert_eq!(*made.data(), said);
    let asked: CreateTicketRequest = edge.fakes.only(CREATE).message();
    assert_eq!(asked.title, "1#楼钢筋绑扎");
    assert_eq!((asked.start_date.as_str(), asked.end_date.as_str()), ("2026-01-10", "2026-01-12"));
    assert_eq!(
        (asked.access_start_time.as_str(), asked.access_end_time.as_str()),
        ("06:00", "20:00")
    );
    assert_eq!(asked.training_deadline_time, "07:30");
    assert_eq!(
        (asked.publish_now, asked.daily_reminder, asked.draft),
        (Some(true), Some(true), false)
    );
    assert_eq!(json!(asked.worker_ids), new["worker_ids"]);
}

#[tokio::test]
async fn what_is_left_out_is_left_to_the_site() {
    let edge = edge().await;
    edge.fakes.on(CREATE, |_: CreateTicketRequest| Ok(CreateTicketResponse::default()));
    let mut new = new_ticket();
    for field in ["access_time_window", "training_deadline", "notify_policy", "remark"] {
        new.as_object_mut().unwrap().remove(field);
    }
    edge.post(&edge.sysadmin(), "/api/admin/work-tickets", &new).await.data();
    let asked: CreateTicketRequest = edge.fakes.only(CREATE).message();
    assert_eq!((asked.publish_now, asked.daily_reminder), (None, None));
    assert_eq!(asked.access_start_time + &asked.training_deadline_time, "");
}

#[tokio::test]
async fn every_bad_field_of_a_ticket_is_named_at_once() {
    let edge = edge().await;
    let mut new = new_ticket();
    new["title"] = json!(7);
    new["site_id"] = json!("site_001");
    new["start_date"] = json!("2026-01-12");
    new["end_date"] = json!("2026-01-10");
    new["access_time_window"] = json!({"start": "6 o'clock", "until": "20:00"});
    new["area_ids"] = json!([]);
    new["worker_ids"] = json!([id(), "w_002"]);
    new["notify_policy"]["publish_now"] = json!("yes");
    new["colour"] = json!("red");
    new.as_object_mut().unwrap().remove("contractor_id");
    let refused = edge.post(&edge.sysadmin(), "/api/admin/work-tickets", &new).await;
    assert_eq!((refused.status, refused.code()), (400, 40001));
    let expected = [
        "access_time_window.end",
        "access_time_window.start",
        "access_time_window.until",
        "area_ids",
        "colour",
        "contractor_id",
        "end_date",
        "notify_policy.publish_now",
        "site_id",
        "title",
        "worker_ids[1]",
    ];
    assert_eq!(refused.fields(), expected);
    assert!(edge.fakes.asked(CREATE).is_empty());
}

#[tokio::test]
async fn what_the_service_refuses_is_named_in_the_client_s_words() {
    let edge = edge().await;
    edge.fakes.on(CREATE, |_: CreateTicketRequest| -> Result<CreateTicketResponse, _> {
        let refusal = Refusal::new(ErrorCode::ValidationFailed)
            .field("training_deadline_time", "after the window")
            .field("access_end_time", "is skipped that day")
            .field("worker_ids[0]", "is not of this site");
        Err(refusal.into())
    });
    let refused = edge.post(&edge.sysadmin(), "/api/admin/work-tickets", &new_ticket()).await;
    assert_eq!(refused.fields(), ["access_time_window.end", "training_deadline", "worker_ids[0]"]);
}

#[tokio::test]
async fn publishing_tells_since_when_and_what_to_know() {
    let edge = edge().await;
    edge.fakes.on("TicketService/PublishTicket", |message: PublishTicketRequest| {
        Ok(PublishTicketResponse {
            ticket_id: message.ticket_id,
            warnings: vec![Warning { code: "WORKER_UNBOUND".to_owned(), ..Warning::default() }],
            ..PublishTicketResponse::default()
        })
    });
    let path = format!("/api/admin/work-tickets/{}/publish", id());
    let published = edge.post(&edge.sysadmin(), &path, &json!({})).await;
    let fields = ["published_at", "roster_synced_at", "ticket_id", "warnings"];
    assert_eq!(keys(published.data()), fields);
    assert_eq!(published.data()["warnings"][0]["code"], "WORKER_UNBOUND");
}

#[tokio::test]
async fn tickets_are_listed_as_the_requirements_say() {
    let edge = edge().await;
    edge.fakes.on("TicketService/ListTickets", |_: ListTicketsRequest| {
        let row = TicketRow { ticket_id: "t".to_owned(), worker_count: 2, ..TicketRow::default() };
        Ok(ListTicketsResponse { tickets: vec![row], total: 41 })
    });
    let path = "/api/admin/work-tickets?date_from=2026-01-10&date_to=2026-01-12&status=ACTIVE&keyword=%E9%92%A2%E7%AD%8B&page=3";
    let listed = edge.get(&edge.sysadmin(), path).await;
    assert_eq!(keys(listed.data()), ["items", "page", "page_size", "total"]);
    assert_eq!((&listed.data()["total"], &listed.data()["page"]), (&json!(41), &json!(3)));
    assert_eq!(
        keys(&listed.data()["items"][0]),
        [
            "contractor_id",
            "created_at",
            "end_date",
            "site_id",
            "start_date",
            "status",
            "ticket_id",
            "title",
            "worker_count",
        ]
    );
    let asked: ListTicketsRequest = edge.fakes.only("TicketService/ListTickets").message();
    assert_eq!((asked.date_from.as_str(), asked.keyword.as_str()), ("2026-01-10", "钢筋"));
    assert_eq!(asked.page.unwrap().page, 3);
}

pub(crate) fn day() -> DailyTicket {
    DailyTicket {
        daily_ticket_id: "d".to_owned(),
        date: "2026-03-02".to_owned(),
        status: "IN_PROGRESS".to_owned(),
        ..DailyTicket::default()
    }
}

#[tokio::test]
async fn a_ticket_s_page_counts_each_day_s_training_and_access() {
    let edge = edge().await;
    edge.fakes.on("TicketService/GetTicket", |_: GetTicketRequest| {
        let counts = DayCounts {
            daily_ticket_id: "d".to_owned(),
            training: Some(TrainingCounts {
                required: 3,
                completed: 1,
                not_started: 2,
                ..TrainingCounts::default()
            }),
            access: Some(AccessCounts { synced: 1, ..AccessCounts::default() }),
        };
        let ticket = Ticket { daily_tickets: vec![day()], ..Ticket::default() };
        Ok(GetTicketResponse { ticket: Some(ticket), days: vec![counts], warnings: Vec::new() })
    });
    edge.fakes.refuse("DirectoryService/ListRosterReadings", ErrorCode::UpstreamUnavailable);
    let found = edge.get(&edge.sysadmin(), &format!("/api/admin/work-tickets/{}", id())).await;
    let shown = &found.data()["daily_tickets"][0];
    let training =
        json!({"required": 3, "completed": 1, "in_progress": 0, "failed": 0, "not_started": 2});
    assert_eq!(shown["training"], training);
    assert_eq!(
        shown["access"],
        json!({"pending_sync": 0, "synced": 1, "sync_failed": 0, "revoked": 0})
    );
    assert_eq!(shown["daily_ticket_id"], "d");
    assert_eq!(keys(&found.data()["access_time_window"]), ["end", "start"]);
    assert_eq!(found.data()["roster_synced_at"], Value::Null, "shown without");
    reads_roster(&edge);
    let found = edge.get(&edge.sysadmin(), &format!("/api/admin/work-tickets/{}", id())).await;
    assert_eq!(found.data()["roster_synced_at"], "2026-03-01T23:05:09Z", "how old the roster is");
}

pub(crate) fn reads_roster(edge: &Edge) {
    edge.fakes.on("DirectoryService/ListRosterReadings", |_: ListRosterReadingsRequest| {
        let roster_synced_at = Some(prost_types::Timestamp { seconds: 1_772_406_309, nanos: 0 });
        Ok(ListRosterReadingsResponse { roster_synced_at, ..Default::default() })
    });
}
