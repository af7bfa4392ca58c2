use proto::audit::v1::CrossSiteRequest;
use proto::ticket::v1::{
    AccessEffect, AccessWindow, AddWorkersRequest, AddWorkersResponse, AmendTicketRequest,
    AmendTicketResponse, CancelDailyTicketRequest, CancelDailyTicketResponse, CancelTicketRequest,
    CancelTicketResponse, CopyTicketRequest, CopyTicketResponse, DayEffect, Effects,
    ListTicketHistoryRequest, ListTicketHistoryResponse, RemoveWorkerRequest, RemoveWorkerResponse,
    Retraining, TicketEdit, Warning,
};
use reqwest::Method;
use serde_json::{Value, json};
use service::Refusal;
use types::{ErrorCode, Role};

use crate::audit_logs::CROSS;
use crate::help::{Answered, Edge, edge, id, keys};

const AMEND: &str = "TicketService/AmendTicket";

fn effects() -> Effects {
    let window = AccessWindow { start: Some(prost_types::Timestamp::default()), end: None };
    Effects {
        access: vec![AccessEffect {
            worker_id: "w".to_owned(),
            area_id: "a".to_owned(),
            date: "2026-03-02".to_owned(),
            change: "GAINS".to_owned(),
            from: None,
            to: Some(window),
        }],
        left_off: 2,
        gains: 3,
        must_train_again: vec![Retraining {
            worker_id: "w".to_owned(),
            date: "2026-03-02".to_owned(),
            watched_video_ids: vec!["seen".to_owned()],
        }],
        missing_video_ids: vec!["v".to_owned(), "seen".to_owned()],
        days: vec![DayEffect { change: "ADDED".to_owned(), ..DayEffect::default() }],
        warnings: vec![Warning { code: "WORKER_UNBOUND".to_owned(), ..Warning::default() }],
        before: "{\"remark\":\"\"}".to_owned(),
        after: "{\"remark\":\"x\"}".to_owned(),
        ..Effects::default()
    }
}

/// A site that the token does not name: each look at it is told on.
const SITE: &str = "01970000-0000-7000-8000-000000000001";

/// A revision that tells a preview from the change, and what is brought at the site.
fn of_site(preview: bool) -> (u64, Option<Effects>) {
    let effects = Effects { site_id: SITE.to_owned(), ..Effects::default() };
    (u64::from(preview), Some(effects))
}

async fn send(edge: &Edge, method: Method, path: &str, body: &Value) -> Answered {
    let request = edge.request(method, path).bearer_auth(edge.sysadmin()).json(body);
    edge.send(request).await
}

fn read_at() -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: 1_772_406_309, nanos: 0 }
}

#[tokio::test]
async fn a_ticket_is_amended_by_what_is_given_and_the_rest_stays() {
    let edge = edge().await;
    edge.fakes.on(AMEND, |message: AmendTicketRequest| {
        Ok(AmendTicketResponse {
            ticket_id: message.ticket_id,
            revision: 8,
            effects: Some(effects()),
            roster_synced_at: Some(read_at()),
        })
    });
    let (ticket, area) = (id(), id());
    let body = json!({
        "version": 7,
        "reason": "暴雨",
        "remark": "",
        "access_time_window": {"start": "20:00", "end": "24:00"},
        "training_deadline": "19:00",
        "area_ids": [area],
        "end_date": "2026-03-09",
        "notify_policy": {"daily_reminder": false},
    });
    let path = format!("/api/admin/work-tickets/{ticket}");
    let amended = send(&edge, Method::PATCH, &path, &body).await;
    let data = amended.data();
    assert_eq!((&data["ticket_id"], &data["version"]), (&json!(ticket), &json!(8)));
    assert_eq!((&data["preview"], &data["left_off"]), (&json!(false), &json!(2)));
    assert_eq!(
        keys(data),
        [
            "after",
            "before",
            "days",
            "effects",
            "left_off",
            "must_train_again",
            "preview",
            "roster_synced_at",
            "ticket_id",
            "totals",
            "version",
            "warnings",
        ]
    );
    assert_eq!(data["roster_synced_at"], "2026-03-01T23:05:09Z");
    let effect = &data["effects"][0];
    assert_eq!((&effect["change"], &effect["from"]), (&json!("GAINS"), &Value::Null));
    assert_eq!(data["after"], json!({"remark": "x"}));
    let again = json!([{"worker_id": "w", "date": "2026-03-02", "video_ids": ["v"]}]);
    assert_eq!(data["must_train_again"], again);
    let asked: AmendTicketRequest = edge.fakes.only(AMEND).message();
    assert_eq!((asked.revision, asked.reason.as_str(), asked.preview), (7, "暴雨", false));
    assert_eq!((asked.title, asked.remark.as_deref()), (None, Some("")));
    assert_eq!(asked.access_end_time.as_deref(), Some("24:00"));
    assert_eq!((asked.area_ids.unwrap().ids, asked.worker_ids), (vec![area], None));
    assert_eq!((asked.start_date, asked.end_date.as_deref()), (None, Some("2026-03-09")));
    assert_eq!((asked.publish_now, asked.daily_reminder), (None, Some(false)));
}

#[tokio::test]
async fn workers_are_named_with_the_age_of_the_roster_they_were_checked_by() {
    let edge = edge().await;
    edge.fakes.on("TicketService/AddWorkers", |_: AddWorkersRequest| {
        Ok(AddWorkersResponse {
            unbound_worker_ids: vec!["w".to_owned()],
            roster_synced_at: Some(read_at()),
            ..AddWorkersResponse::default()
        })
    });
    let path = format!("/api/admin/work-tickets/{}/workers", id());
    let body = json!({"worker_ids": [id()], "reason": "x"});
    let added = send(&edge, Method::POST, &path, &body).await;
    let said = (&added.data()["roster_synced_at"], &added.data()["unbound_worker_ids"]);
    assert_eq!(said, (&json!("2026-03-01T23:05:09Z"), &json!(["w"])));
}

#[tokio::test]
async fn a_preview_is_asked_for_in_the_query_of_every_change_and_is_a_look_at_its_site() {
    let edge = edge().await;
    edge.fakes.on(AMEND, |message: AmendTicketRequest| {
        let (revision, effects) = of_site(message.preview);
        Ok(AmendTicketResponse { revision, effects, ..AmendTicketResponse::default() })
    });
    edge.fakes.on("TicketService/CancelTicket", |message: CancelTicketRequest| {
        let (revision, effects) = of_site(message.preview);
        Ok(CancelTicketResponse { revision, effects, ..CancelTicketResponse::default() })
    });
    edge.fakes.on("TicketService/CancelDailyTicket", |message: CancelDailyTicketRequest| {
        let (revision, effects) = of_site(message.preview);
        Ok(CancelDailyTicketResponse { revision, effects, ..CancelDailyTicketResponse::default() })
    });
    edge.fakes.on("TicketService/AddWorkers", |message: AddWorkersRequest| {
        let (revision, effects) = of_site(message.preview);
        Ok(AddWorkersResponse { revision, effects, ..AddWorkersResponse::default() })
    });
    edge.fakes.on("TicketService/RemoveWorker", |message: RemoveWorkerRequest| {
        let (revision, effects) = of_site(message.preview);
        Ok(RemoveWorkerResponse { revision, effects, ..RemoveWorkerResponse::default() })
    });
    let (ticket, reason) = (format!("/api/admin/work-tickets/{}", id()), json!({"reason": "x"}));
    let amend = json!({"version": 1, "reason": "x"});
    let workers = json!({"worker_ids": [id()], "reason": "x"});
    let changes = [
        (Method::PATCH, ticket.clone(), amend),
        (Method::POST, format!("{ticket}/cancel"), reason.clone()),
        (Method::POST, format!("/api/admin/daily-tickets/{}/cancel", id()), reason.clone()),
        (Method::POST, format!("{ticket}/workers"), workers),
        (Method::DELETE, format!("{ticket}/workers/{}", id()), reason),
    ];
    for (at, (method, path, body)) in changes.into_iter().enumerate() {
        let preview = format!("{path}?preview=true");
        let told = send(&edge, method.clone(), &preview, &body).await;
        let said = (&told.data()["preview"], &told.data()["version"]);
        assert_eq!(said, (&json!(true), &json!(1)), "{path}");
        let looked = edge.fakes.asked(CROSS);
        assert_eq!(looked.len(), at + 1, "{path}");
        assert_eq!(looked[at].message::<CrossSiteRequest>().site_id, SITE);
        // The change itself leaves its own record.
        let told = send(&edge, method, &path, &body).await;
        let said = (&told.data()["preview"], &told.data()["version"]);
        assert_eq!(said, (&json!(false), &json!(0)), "{path}");
        assert_eq!(edge.fakes.asked(CROSS).len(), at + 1, "{path}");
    }
}

#[tokio::test]
async fn every_bad_field_of_an_amendment_is_named_at_once_in_the_client_s_words() {
    let edge = edge().await;
    let path = format!("/api/admin/work-tickets/{}", id());
    let bad = json!({
        "version": 0,
        "title": "",
        "start_date": "soon",
        "access_time_window": {"start": "6 o'clock"},
        "worker_ids": ["w_002"],
        "colour": "red",
    });
    let refused = send(&edge, Method::PATCH, &path, &bad).await;
    let wanted = [
        "access_time_window.end",
        "access_time_window.start",
        "colour",
        "reason",
        "start_date",
        "title",
        "version",
        "worker_ids[0]",
    ];
    assert_eq!((refused.code(), refused.fields()), (40001, wanted.map(str::to_owned).to_vec()));
    edge.fakes.on(AMEND, |_: AmendTicketRequest| -> Result<AmendTicketResponse, _> {
        let refusal = Refusal::new(ErrorCode::ValidationFailed)
            .field("training_deadline_time", "is required")
            .field("revision", "is required");
        Err(refusal.into())
    });
    let refused = send(&edge, Method::PATCH, &path, &json!({"version": 1, "reason": "x"})).await;
    assert_eq!(refused.fields(), ["training_deadline", "version"]);
}

#[tokio::test]
async fn a_copy_takes_the_client_s_key_and_tells_what_it_left_out() {
    let edge = edge().await;
    edge.fakes.on("TicketService/CopyTicket", |_: CopyTicketRequest| {
        let left =
            Warning { code: "LEFT_OUT".to_owned(), area_id: "a".to_owned(), ..Warning::default() };
        Ok(CopyTicketResponse {
            ticket_id: "t".to_owned(),
            unbound_worker_ids: Vec::new(),
            warnings: vec![left],
            roster_synced_at: None,
        })
    });
    let path = format!("/api/admin/work-tickets/{}/copy", id());
    let token = edge.admin(Role::ContractorAdmin);
    let request = edge.request(Method::POST, &path).bearer_auth(token);
    let request = request.header("Idempotency-Key", "k-1");
    let copied = edge.send(request.json(&json!({"start_date": "2026-03-09"}))).await;
    let warning = &copied.data()["warnings"][0];
    assert_eq!((&warning["code"], &warning["area_id"]), (&json!("LEFT_OUT"), &json!("a")));
    assert_eq!((&warning["worker_id"], &warning["needed_sec"]), (&Value::Null, &Value::Null));
    let asked = edge.fakes.only("TicketService/CopyTicket");
    assert_eq!(asked.idempotency_key.as_deref(), Some("k-1"));
    let message: CopyTicketRequest = asked.message();
    assert_eq!((message.start_date.as_str(), message.end_date.as_str()), ("2026-03-09", ""));
}

#[tokio::test]
async fn the_history_shows_what_changed() {
    let edge = edge().await;
    edge.fakes.on("TicketService/ListTicketHistory", |_: ListTicketHistoryRequest| {
        let edit = TicketEdit {
            revision: 1,
            action: "CREATED".to_owned(),
            after: "{\"title\":\"x\"}".to_owned(),
            ..TicketEdit::default()
        };
        Ok(ListTicketHistoryResponse { edits: vec![edit], total: 41, site_id: id() })
    });
    let path = format!("/api/admin/work-tickets/{}/history?page=3&page_size=20", id());
    let told = edge.get(&edge.sysadmin(), &path).await;
    assert_eq!((&told.data()["total"], &told.data()["page"]), (&json!(41), &json!(3)));
    let edit = &told.data()["items"][0];
    assert_eq!((&edit["version"], &edit["before"]), (&json!(1), &Value::Null));
    assert_eq!((&edit["after"], &edit["reason"]), (&json!({"title": "x"}), &Value::Null));
}
