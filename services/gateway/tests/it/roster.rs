//! Rosters, files of workers, registration links and sessions whose binding has ended.

use auth::Sites;
use chrono::Duration;
use proto::access_grant::v1::OutlookLine;
use proto::directory::v1::{
    CheckBindingRequest, CheckBindingResponse, Contractor, EngagementSpell, ExportWorkersRequest,
    ExportWorkersResponse, FindRegistrationRequest, FindRegistrationResponse,
    GetRegistrationCodeRequest, GetRegistrationCodeResponse, GetWorkerRequest, GetWorkerResponse,
    ListRosterReadingsRequest, ListRosterReadingsResponse, RosterReading, SyncWorkersRequest,
    SyncWorkersResponse, WorkerRow,
};
use proto::report::v1::{GetOutlookRequest, GetOutlookResponse};
use reqwest::Method;
use serde_json::{Value, json};
use types::{ErrorCode, SiteId};

use crate::help::{bound, edge, id, keys};

const CHECK: &str = "DirectoryService/CheckBinding";
const TASKS: &str = "/api/mp/tasks/today";

#[tokio::test]
async fn a_phone_whose_binding_ended_is_told_why_and_one_that_is_bound_is_asked_about_now_and_then()
{
    let edge = edge().await;
    let phone = edge.phone();
    edge.fakes.on(CHECK, |_: CheckBindingRequest| Ok(bound(&[])));
    for _ in 0..3 {
        edge.get(&phone, TASKS).await;
    }
    let asked: CheckBindingRequest = edge.fakes.only(CHECK).message();
    assert_eq!(asked.worker_id, edge.worker.to_string());
    assert_eq!(asked.wechat_user_id, "session-1");

    edge.fakes.on(CHECK, |_: CheckBindingRequest| {
        let ended_because = "REPLACED".to_owned();
        Ok(CheckBindingResponse { bound: false, ended_because, site_ids: Vec::new() })
    });
    edge.system.advance(Duration::seconds(29));
    assert_ne!(edge.get(&phone, TASKS).await.code(), 40106, "a yes is believed for half a minute");
    edge.system.advance(Duration::seconds(1));
    let ended = edge.get(&phone, TASKS).await;
    assert_eq!((ended.status, ended.code()), (401, 40106));
    assert_eq!(ended.body["data"]["reason"], "REPLACED");
    let tickets = edge.fakes.asked("TicketService/ListWorkerTasks").len();
    assert_eq!(
        edge.get(&phone, TASKS).await.code(),
        40106,
        "a no is not remembered, but asked for"
    );
    assert_eq!(edge.fakes.asked("TicketService/ListWorkerTasks").len(), tickets);

    edge.fakes.on(CHECK, |_: CheckBindingRequest| Ok(bound(&[])));
    assert_ne!(edge.get(&phone, TASKS).await.code(), 40106, "bound again, it goes on at once");
}

#[tokio::test]
async fn a_worker_newly_engaged_on_another_site_reaches_it_within_half_a_minute_with_the_same_token()
 {
    let edge = edge().await;
    let (phone, one, two) = (edge.phone(), edge.site, SiteId::new());
    let reached = async || {
        edge.get(&phone, TASKS).await;
        edge.fakes.asked("TicketService/ListWorkerTasks").pop().unwrap().caller.sites
    };
    assert_eq!(reached().await, Sites::Some(vec![one]));
    edge.fakes.on(CHECK, move |_: CheckBindingRequest| Ok(bound(&[one, two])));
    edge.system.advance(Duration::seconds(30));
    assert_eq!(reached().await, Sites::Some(vec![one, two]));
    assert_eq!(reached().await, Sites::Some(vec![one, two]), "remembered with the yes");
    edge.fakes.refuse(CHECK, ErrorCode::StoreUnavailable);
    edge.system.advance(Duration::seconds(30));
    assert_eq!(reached().await, Sites::Some(vec![one, two]), "and while directory is away");
    edge.fakes.on(CHECK, |_: CheckBindingRequest| Ok(bound(&[])));
    edge.system.advance(Duration::seconds(30));
    assert_eq!(reached().await, Sites::Some(vec![]), "who left every site");
}

#[tokio::test]
async fn while_directory_is_away_a_phone_that_was_bound_goes_on_for_ten_minutes() {
    let edge = edge().await;
    let phone = edge.phone();
    let let_through = || edge.fakes.asked("TicketService/ListWorkerTasks").len();
    edge.get(&phone, TASKS).await;
    edge.fakes.refuse(CHECK, ErrorCode::StoreUnavailable);
    edge.system.advance(Duration::seconds(30));
    for _ in 0..2 {
        edge.get(&phone, TASKS).await;
    }
    assert_eq!(let_through(), 3);
    assert_eq!(edge.fakes.asked(CHECK).len(), 2, "and not waited for each time");
    edge.system.advance(Duration::seconds(569));
    edge.get(&phone, TASKS).await;
    assert_eq!((let_through(), edge.fakes.asked(CHECK).len()), (4, 3));
    edge.system.advance(Duration::seconds(1));
    let refused = edge.get(&phone, TASKS).await;
    assert_eq!((refused.status, refused.code(), let_through()), (503, 50301, 4));
    assert_eq!(refused.body["data"]["upstream"], "directory");
}

#[tokio::test]
async fn while_directory_is_away_a_phone_that_was_never_seen_is_told_to_wait() {
    let edge = edge().await;
    edge.fakes.refuse(CHECK, ErrorCode::UpstreamUnavailable);
    assert_eq!(edge.get(&edge.phone(), TASKS).await.code(), 50301);
    assert_eq!(edge.fakes.asked("TicketService/ListWorkerTasks").len(), 0);
}

#[tokio::test]
async fn an_answer_that_says_nothing_of_the_binding_is_no_yes() {
    for code in [ErrorCode::Internal, ErrorCode::PermissionDenied, ErrorCode::NotFound] {
        let edge = edge().await;
        let phone = edge.phone();
        edge.get(&phone, TASKS).await;
        edge.system.advance(Duration::seconds(30));
        edge.fakes.refuse(CHECK, code);
        for _ in 0..2 {
            let refused = edge.get(&phone, TASKS).await;
            assert_eq!((refused.status, refused.code()), (503, 50301), "{code:?}");
        }
        assert_eq!(edge.fakes.asked("TicketService/ListWorkerTasks").len(), 1);
        // Nor is what was seen before believed once directory is away.
        edge.fakes.refuse(CHECK, ErrorCode::UpstreamUnavailable);
        assert_eq!(edge.get(&phone, TASKS).await.code(), 50301);
    }
}

#[tokio::test]
async fn a_worker_is_shown_masked_with_every_engagement() {
    let edge = edge().await;
    edge.fakes.on("DirectoryService/GetWorker", |request: GetWorkerRequest| {
        let row = WorkerRow {
            worker_id: request.worker_id,
            name: "测试工人01".to_owned(),
            phone_masked: "199****0001".to_owned(),
            ..WorkerRow::default()
        };
        let spell = EngagementSpell {
            trade: "木工".to_owned(),
            roster_synced_at: Some(prost_types::Timestamp { seconds: 1_772_406_309, nanos: 0 }),
            ..EngagementSpell::default()
        };
        Ok(GetWorkerResponse {
            worker: Some(row),
            status: "ACTIVE".to_owned(),
            engagements: vec![spell],
            bound_at: None,
            has_photo: true,
        })
    });
    let shown = edge.get(&edge.sysadmin(), &format!("/api/admin/workers/{}", id())).await;
    let shown = shown.data();
    assert_eq!((&shown["phone"], &shown["has_photo"]), (&json!("199****0001"), &json!(true)));
    assert_eq!(shown["engagements"][0]["trade"], "木工");
    assert_eq!(shown["engagements"][0]["roster_synced_at"], "2026-03-01T23:05:09Z");
    assert_eq!(shown["contractor_unknown"], false);
    assert_eq!(
        (&shown["bound_at"], &shown["engagements"][0]["left_at"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn the_readings_of_a_roster_are_listed_for_one_site() {
    let edge = edge().await;
    edge.fakes.on("DirectoryService/ListRosterReadings", |_: ListRosterReadingsRequest| {
        let reading = RosterReading {
            kind: "WHOLE".to_owned(),
            outcome: "RUNNING".to_owned(),
            ..RosterReading::default()
        };
        Ok(ListRosterReadingsResponse { readings: vec![reading], total: 1, roster_synced_at: None })
    });
    let path = "/api/admin/workers/sync";
    assert_eq!(edge.get(&edge.sysadmin(), path).await.fields(), ["site_id"]);
    let listed = edge.get(&edge.sysadmin(), &format!("{path}?site_id={}", edge.site)).await;
    let first = &listed.data()["items"][0];
    assert_eq!((&first["asked_by"], &first["outcome"]), (&Value::Null, &json!("RUNNING")));
    assert_eq!(listed.data()["roster_synced_at"], Value::Null);
}

#[tokio::test]
async fn an_outlook_says_how_old_the_roster_is() {
    let edge = edge().await;
    edge.fakes.on("ReportService/GetOutlook", |_: GetOutlookRequest| {
        Ok(GetOutlookResponse { expected: 3, ..GetOutlookResponse::default() })
    });
    let path = format!("/api/admin/outlook?site_id={}", edge.site);
    let untold = edge.get(&edge.sysadmin(), &path).await;
    assert_eq!(
        (&untold.data()["expected"], &untold.data()["roster_synced_at"]),
        (&json!(3), &Value::Null)
    );
    edge.fakes.on("DirectoryService/ListRosterReadings", |_: ListRosterReadingsRequest| {
        let roster_synced_at = Some(prost_types::Timestamp { seconds: 1_772_406_309, nanos: 0 });
        Ok(ListRosterReadingsResponse { roster_synced_at, ..ListRosterReadingsResponse::default() })
    });
    let told = edge.get(&edge.sysadmin(), &path).await;
    assert_eq!(told.data()["roster_synced_at"], "2026-03-01T23:05:09Z");
}

#[tokio::test]
async fn the_outlook_of_a_site_where_nobody_would_pass_is_told_whole() {
    const REFUSED: usize = 20_000;
    let edge = edge().await;
    edge.fakes.on("ReportService/GetOutlook", |_: GetOutlookRequest| {
        let refused = (0..REFUSED).map(|_| OutlookLine {
            worker_id: "01990000-0000-7000-8000-000000000001".to_owned(),
            reason_code: "TRAINING_INCOMPLETE".to_owned(),
            detail: "x".repeat(400),
            ..OutlookLine::default()
        });
        Ok(GetOutlookResponse { refused: refused.collect(), ..GetOutlookResponse::default() })
    });
    let path = format!("/api/admin/outlook?site_id={}", edge.site);
    let told = edge.get(&edge.sysadmin(), &path).await;
    assert_eq!(told.data()["refused"].as_array().unwrap().len(), REFUSED);
}

#[tokio::test]
async fn departures_are_accepted_only_where_a_person_says_so() {
    const SYNC: &str = "DirectoryService/SyncWorkers";
    let edge = edge().await;
    edge.fakes.on(SYNC, |_: SyncWorkersRequest| Ok(SyncWorkersResponse::default()));
    let path = "/api/admin/workers/sync";
    let mut wanted = json!({"site_id": edge.site.to_string()});
    edge.post(&edge.sysadmin(), path, &wanted).await.data();
    wanted["accept_departures"] = json!(true);
    edge.post(&edge.sysadmin(), path, &wanted).await.data();
    let asked = edge.fakes.asked(SYNC);
    let accepted = |place: usize| asked[place].message::<SyncWorkersRequest>().accept_departures;
    assert_eq!((accepted(0), accepted(1)), (false, true));
}

#[tokio::test]
async fn workers_are_exported_as_a_workbook() {
    let edge = edge().await;
    let contractor = id();
    let asked_for = contractor.clone();
    edge.fakes.on("DirectoryService/ExportWorkers", move |_: ExportWorkersRequest| {
        let row = WorkerRow {
            name: "=cmd|'/c calc'!A0".to_owned(),
            contractor_id: contractor.clone(),
            ..WorkerRow::default()
        };
        let named = Contractor {
            contractor_id: contractor.clone(),
            name: "示例一建".to_owned(),
            ..Contractor::default()
        };
        Ok(ExportWorkersResponse {
            site_name: "一号工地".to_owned(),
            workers: vec![row],
            contractors: vec![named],
            ..ExportWorkersResponse::default()
        })
    });
    let wanted =
        json!({"site_id": edge.site.to_string(), "contractor_id": asked_for, "bound": false});
    let request = edge.request(Method::POST, "/api/admin/workers/export");
    let answer = request.bearer_auth(edge.sysadmin()).json(&wanted).send().await.unwrap();
    let headers = answer.headers().clone();
    assert_eq!(answer.status(), 200);
    assert!(headers["content-type"].to_str().unwrap().contains("spreadsheetml"));
    assert_eq!(headers["content-disposition"], "attachment; filename=\"workers.xlsx\"");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(answer.bytes().await.unwrap().starts_with(b"PK"));
    let asked: ExportWorkersRequest = edge.fakes.only("DirectoryService/ExportWorkers").message();
    assert_eq!((asked.contractor_id, asked.bound), (asked_for, "false".to_owned()));
    let bad = edge.post(&edge.sysadmin(), "/api/admin/workers/export", &json!({"bound": 1})).await;
    assert_eq!(bad.fields(), ["bound", "site_id"]);
}

#[tokio::test]
async fn a_site_s_registration_code_comes_with_a_picture() {
    let edge = edge().await;
    edge.fakes.on("DirectoryService/GetRegistrationCode", |_: GetRegistrationCodeRequest| {
        Ok(GetRegistrationCodeResponse {
            code: "0A1B2C3D4E".to_owned(),
            site_name: "一号工地".to_owned(),
            id_last_six: true,
        })
    });
    let path = format!("/api/admin/sites/{}/registration-code", edge.site);
    let answer = edge.get(&edge.sysadmin(), &path).await;
    assert_eq!(keys(answer.data()), ["code", "id_last_six", "link", "qr_svg", "site_name"]);
    assert!(answer.data()["qr_svg"].as_str().unwrap().contains("<svg"));
    assert_eq!(answer.data()["link"], Value::Null, "nobody said how clients reach us");
}

#[tokio::test]
async fn who_scanned_a_code_learns_what_binding_asks_for() {
    let edge = edge().await;
    let site = edge.site.to_string();
    edge.fakes.on("DirectoryService/FindRegistration", move |_: FindRegistrationRequest| {
        Ok(FindRegistrationResponse {
            site_id: site.clone(),
            site_name: "一号工地".to_owned(),
            id_last_six: true,
        })
    });
    let found = edge.get(&edge.unbound_phone(), "/api/mp/registrations/0A1B2C3D4E").await;
    assert_eq!(found.data()["id_last_six"], true);
    let asked: FindRegistrationRequest =
        edge.fakes.only("DirectoryService/FindRegistration").message();
    assert_eq!(asked.code, "0A1B2C3D4E");
}
