use proto::audit::v1::{
    CrossSiteRequest, CrossSiteResponse, Entry, ExportEntriesRequest, ExportEntriesResponse,
    ListEntriesRequest, ListEntriesResponse, VerifyChainRequest, VerifyChainResponse,
};
use proto::directory::v1::{
    Account, Area, EngagementSpell, GetAccountRequest, GetAccountResponse, GetWorkerRequest,
    GetWorkerResponse, ListAreasRequest, ListAreasResponse, ListRosterChangesRequest,
    ListRosterChangesResponse, NameWorkersRequest, NameWorkersResponse, SearchWorkersRequest,
    SearchWorkersResponse, WorkerRow,
};
use proto::ticket::v1::{
    GetTicketRequest, GetTicketResponse, ListTicketHistoryRequest, ListTicketHistoryResponse,
    ListTicketsRequest, ListTicketsResponse, Ticket,
};
use reqwest::Method;
use serde_json::{Value, json};
use types::{ErrorCode, Role};

use crate::help::{Edge, edge, id};

pub(crate) const CROSS: &str = "AuditService/CrossSite";

fn listed(edge: &Edge, actors: &[&str]) {
    let entries =
        actors.iter().map(|actor| Entry { actor: (*actor).to_owned(), ..Entry::default() });
    let answer = ListEntriesResponse { entries: entries.collect(), next_cursor: "c".to_owned() };
    edge.fakes.on("AuditService/ListEntries", move |_: ListEntriesRequest| Ok(answer.clone()));
}

/// The sites that were recorded, in the order they were; an empty one stands for all of the account's.
fn crossed(edge: &Edge) -> Vec<String> {
    let asked = edge.fakes.asked(CROSS);
    asked.iter().map(|asked| asked.message::<CrossSiteRequest>().site_id).collect()
}

#[tokio::test]
async fn the_log_is_searched_by_each_filter_and_says_who_acted() {
    let edge = edge().await;
    let (account, worker, site) = (id(), id(), id());
    let actors = [format!("account:{account}"), format!("worker:{worker}"), "service:x".to_owned()];
    listed(&edge, &actors.each_ref().map(String::as_str));
    edge.fakes.on("DirectoryService/GetAccount", |asked: GetAccountRequest| {
        let account = Account {
            account_id: asked.account_id,
            username: "admin".to_owned(),
            ..Account::default()
        };
        Ok(GetAccountResponse { account: Some(account) })
    });
    edge.fakes.on("DirectoryService/NameWorkers", |asked: NameWorkersRequest| {
        let row = |worker_id| WorkerRow {
            worker_id,
            name: "测试工人01".to_owned(),
            ..WorkerRow::default()
        };
        Ok(NameWorkersResponse { workers: asked.worker_ids.into_iter().map(row).collect() })
    });
    let path = format!(
        "/api/admin/audit-logs?site_id={site}&actor=a&target_type=t&target_id=i&action=x\
         &from=2026-03-01T00%3A00%3A00Z&to=2026-03-02T00%3A00%3A00Z&limit=50&cursor=7"
    );
    let found = edge.get(&edge.sysadmin(), &path).await;
    let names: Vec<&Value> = (0..3).map(|at| &found.data()["items"][at]["actor_name"]).collect();
    assert_eq!(names, [&json!("admin"), &json!("测试工人01"), &Value::Null]);
    assert_eq!(found.data()["next_cursor"], "c");
    let asked: ListEntriesRequest = edge.fakes.only("AuditService/ListEntries").message();
    assert_eq!((asked.target_type.as_str(), asked.limit, asked.site_id), ("t", 50, site));
    assert_eq!(asked.to.unwrap().seconds - asked.from.unwrap().seconds, 86_400);
}

#[tokio::test]
async fn what_belongs_to_no_site_is_asked_for_without_one() {
    let edge = edge().await;
    listed(&edge, &["anonymous"]);
    edge.get(&edge.sysadmin(), "/api/admin/audit-logs").await.data();
    let asked: ListEntriesRequest = edge.fakes.only("AuditService/ListEntries").message();
    assert_eq!((asked.site_id.as_str(), asked.limit), ("", 20));
    assert_eq!(edge.fakes.asked(CROSS).len(), 0);
    edge.fakes.refuse("AuditService/ListEntries", ErrorCode::CursorExpired);
    let expired = edge.get(&edge.sysadmin(), "/api/admin/audit-logs?cursor=3").await;
    assert_eq!((expired.status, expired.code()), (410, 41001));
}

#[tokio::test]
async fn a_verification_says_what_the_checkpoints_saw() {
    let edge = edge().await;
    edge.fakes.on("AuditService/VerifyChain", |_: VerifyChainRequest| {
        Ok(VerifyChainResponse {
            entries: 9,
            witnessed: 8,
            checkpoints: 3,
            newest_checkpoint: 3,
            checkpoint_problem: "checkpoint 2 is missing".to_owned(),
            ..VerifyChainResponse::default()
        })
    });
    let path = format!("/api/admin/audit-logs/verify?site_id={}", id());
    let verified = edge.get(&edge.sysadmin(), &path).await;
    let data = verified.data();
    assert_eq!((&data["intact"], &data["broken_at"]), (&json!(false), &Value::Null));
    assert_eq!((&data["witnessed"], &data["newest_checkpoint"]), (&json!(8), &json!(3)));
    assert_eq!(data["checkpoint_problem"], "checkpoint 2 is missing");
}

#[tokio::test]
async fn an_export_is_a_file_as_its_service_tells_it() {
    let edge = edge().await;
    edge.fakes.on_stream("AuditService/ExportEntries", |_: ExportEntriesRequest| {
        let part = |part: &str| ExportEntriesResponse { part: part.as_bytes().to_vec() };
        vec![part("{\"manifest\":"), part("{}}\n{}\n")]
    });
    let path = format!("/api/admin/audit-logs/export?site_id={}", edge.site);
    let request = edge.request(Method::GET, &path).bearer_auth(edge.sysadmin());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let name = format!("attachment; filename=\"audit-{}-2026-03-02.ndjson\"", edge.site);
    assert_eq!(response.headers()["content-disposition"], name.as_str());
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.text().await.unwrap(), "{\"manifest\":{}}\n{}\n");
    edge.fakes.refuse("AuditService/ExportEntries", ErrorCode::NotFound);
    assert_eq!(edge.get(&edge.sysadmin(), &path).await.code(), 40400);
}

#[tokio::test]
async fn a_question_about_a_site_is_recorded_once_an_hour_before_it_is_answered() {
    let edge = edge().await;
    listed(&edge, &[]);
    let ask = |site: &str| format!("/api/admin/audit-logs?page_size=1&site_id={site}");
    let (one, other) = (edge.site.to_string(), id());
    for site in [&one, &one, &other, &one, &other] {
        edge.get(&edge.sysadmin(), &ask(site)).await.data();
    }
    // The other is a site that the token does not name: `audit` knows of each hour too.
    assert_eq!(crossed(&edge), [one, other.clone(), other]);
    let crossing = edge.fakes.asked(CROSS).remove(0);
    assert_eq!(crossing.caller.account_id(), Some(edge.account));
    assert_eq!(crossing.caller.address.as_deref(), Some("127.0.0.1"));
    assert!(crossing.caller.on_behalf_request.is_some());
}

#[tokio::test]
async fn a_site_that_stands_in_a_body_or_only_in_the_answer_is_recorded_too() {
    let edge = edge().await;
    edge.fakes.on("DirectoryService/SearchWorkers", |_: SearchWorkersRequest| {
        Ok(SearchWorkersResponse::default())
    });
    let (searched, answered) = (id(), id());
    edge.post(&edge.sysadmin(), "/api/admin/workers/search", &json!({"site_id": searched})).await;
    let ticket = Ticket { site_id: answered.clone(), ..Ticket::default() };
    edge.fakes.on("TicketService/GetTicket", move |_: GetTicketRequest| {
        Ok(GetTicketResponse { ticket: Some(ticket.clone()), ..GetTicketResponse::default() })
    });
    edge.get(&edge.sysadmin(), &format!("/api/admin/work-tickets/{}", id())).await.data();
    edge.fakes.on("TicketService/ListTickets", |_: ListTicketsRequest| {
        Ok(ListTicketsResponse::default())
    });
    let told = ListTicketHistoryResponse { site_id: id(), ..ListTicketHistoryResponse::default() };
    let of_history = told.site_id.clone();
    edge.fakes
        .on("TicketService/ListTicketHistory", move |_: ListTicketHistoryRequest| Ok(told.clone()));
    let history = format!("/api/admin/work-tickets/{}/history", id());
    edge.get(&edge.sysadmin(), &history).await.data();
    let (tickets, found) = ("/api/admin/work-tickets/search", id());
    edge.post(&edge.sysadmin(), tickets, &json!({"site_id": found})).await.data();
    edge.post(&edge.sysadmin(), tickets, &json!({})).await.data();
    assert_eq!(crossed(&edge), [searched, answered, of_history, found, String::new()]);
}

#[tokio::test]
async fn a_question_whose_path_names_a_site_is_recorded_before_it_is_answered() {
    let document = edge().await.get("", "/openapi.json").await.body;
    let paths = document["paths"].as_object().unwrap().iter();
    let named = paths.filter(|(path, item)| path.contains("{site_id}") && item["get"].is_object());
    let named: Vec<&String> = named.map(|(path, _)| path).collect();
    assert!(named.len() > 1, "{named:?}");
    for path in named {
        let (edge, site) = (edge().await, id());
        edge.fakes.refuse(CROSS, ErrorCode::StoreUnavailable);
        let refused = edge.get(&edge.sysadmin(), &path.replace("{site_id}", &site)).await;
        assert_eq!((refused.code(), crossed(&edge)), (50302, vec![site]), "{path}");
        assert!(edge.fakes.asked("DirectoryService/GetSite").is_empty(), "{path}");
        assert!(edge.fakes.asked("DirectoryService/GetRegistrationCode").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn the_sites_of_a_worker_and_of_a_reading_are_recorded_before_they_are_shown() {
    let edge = edge().await;
    let (here, there, read) = (id(), id(), id());
    let engagements = [&here, &there]
        .map(|site| EngagementSpell { site_id: site.clone(), ..EngagementSpell::default() });
    let worker = GetWorkerResponse {
        worker: Some(WorkerRow::default()),
        engagements: engagements.to_vec(),
        ..GetWorkerResponse::default()
    };
    edge.fakes.on("DirectoryService/GetWorker", move |_: GetWorkerRequest| Ok(worker.clone()));
    let changes =
        ListRosterChangesResponse { site_id: read.clone(), ..ListRosterChangesResponse::default() };
    edge.fakes.on("DirectoryService/ListRosterChanges", move |_: ListRosterChangesRequest| {
        Ok(changes.clone())
    });
    let (worker, reading) =
        (format!("/api/admin/workers/{}", id()), format!("/api/admin/workers/sync/{}", id()));
    edge.get(&edge.sysadmin(), &worker).await.data();
    edge.get(&edge.sysadmin(), &reading).await.data();
    assert_eq!(crossed(&edge), [here, there, read]);
    edge.fakes.refuse(CROSS, ErrorCode::StoreUnavailable);
    for path in [worker, reading] {
        assert_eq!(edge.get(&edge.sysadmin(), &path).await.code(), 50302, "{path}");
    }
}

/// Lists of what belongs to no site; one that finds the site itself.
const NO_CROSSING: [&str; 6] = [
    "/api/admin/accounts",
    "/api/admin/audit-logs",
    "/api/admin/audit-logs/export",
    "/api/admin/audit-logs/verify",
    "/api/admin/contractors",
    "/api/admin/explain",
];

#[tokio::test]
async fn a_list_of_every_site_is_recorded_for_each_of_them() {
    let document = edge().await.get("", "/openapi.json").await.body;
    let asks_for_one = |operation: &Value| {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let mut parameters = parameters.filter(|one| one["in"] == "query");
        parameters.any(|one| one["name"] == "site_id" && one["required"] != true)
    };
    let paths = document["paths"].as_object().unwrap().iter();
    let lists = paths.filter(|(_, item)| asks_for_one(&item["get"])).map(|(path, _)| path);
    let lists: Vec<&String> = lists.collect();
    assert!(
        NO_CROSSING.iter().all(|path| lists.iter().any(|list| list.as_str() == *path)),
        "{lists:?}"
    );
    assert!(lists.len() > NO_CROSSING.len());
    for list in lists {
        let edge = edge().await;
        edge.get(&edge.sysadmin(), list).await;
        edge.get(&edge.sysadmin(), &format!("{list}?site_id=&page_size=1")).await;
        let everywhere = !NO_CROSSING.contains(&list.as_str());
        assert_eq!(crossed(&edge), vec![""; usize::from(everywhere)], "{list}");
        // Of the same hour, and of each site the account has.
        edge.get(&edge.sysadmin(), &format!("{list}?site_id=&site_id={}", edge.site)).await;
        assert_eq!(crossed(&edge).len(), 1, "{list}");
    }
}

#[tokio::test]
async fn the_site_that_an_explanation_finds_is_recorded() {
    let edge = edge().await;
    let (area, site) = (id(), id());
    let areas = ListAreasResponse {
        areas: vec![Area { area_id: area.clone(), site_id: site.clone(), ..Area::default() }],
    };
    edge.fakes.on("DirectoryService/ListAreas", move |_: ListAreasRequest| Ok(areas.clone()));
    let path = format!("/api/admin/explain?worker_id={}&area_id={area}", id());
    edge.get(&edge.sysadmin(), &path).await;
    assert_eq!(crossed(&edge), [site]);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_answered_and_a_contractor_crosses_nothing() {
    let edge = edge().await;
    edge.fakes.refuse(CROSS, ErrorCode::StoreUnavailable);
    let path = format!("/api/admin/dashboard?site_id={}", id());
    let refused = edge.get(&edge.sysadmin(), &path).await;
    assert_eq!((refused.status, refused.code()), (503, 50302));
    assert_eq!(edge.fakes.asked("ReportService/GetDashboard").len(), 0);
    // It was not recorded, so it is tried again.
    edge.fakes.on(CROSS, |_: CrossSiteRequest| Ok(CrossSiteResponse {}));
    edge.get(&edge.sysadmin(), &path).await;
    assert_eq!(edge.fakes.asked("ReportService/GetDashboard").len(), 1);
    // Whatever the refusal is.
    edge.fakes.refuse(CROSS, ErrorCode::NotFound);
    let path = format!("/api/admin/dashboard?site_id={}", id());
    assert_eq!(edge.get(&edge.sysadmin(), &path).await.code(), 40400);
    assert_eq!(edge.fakes.asked("ReportService/GetDashboard").len(), 1);
    let asked = edge.fakes.asked(CROSS).len();
    edge.get(&edge.admin(Role::ContractorAdmin), &format!("/api/admin/dashboard?site_id={}", id()))
        .await;
    assert_eq!(edge.fakes.asked(CROSS).len(), asked);
}
