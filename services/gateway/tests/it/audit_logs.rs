use proto::audit::v1::{
    CrossSiteRequest, CrossSiteResponse, Entry, ExportEntriesRequest, ExportEntriesResponse,
    ListEntriesRequest, ListEntriesResponse, VerifyChainRequest, VerifyChainResponse,
};
use proto::directory::v1::{
    Account, GetAccountRequest, GetAccountResponse, NameWorkersRequest, NameWorkersResponse,
    SearchWorkersRequest, SearchWorkersResponse, WorkerRow,
};
use proto::ticket::v1::{GetTicketRequest, GetTicketResponse, Ticket};
use reqwest::Method;
use serde_json::{Value, json};
use types::{ErrorCode, Role};

use crate::help::{Edge, edge, id};

const CROSS: &str = "AuditService/CrossSite";

fn listed(edge: &Edge, actors: &[&str]) {
    let entries =
        actors.iter().map(|actor| Entry { actor: (*actor).to_owned(), ..Entry::default() });
    let answer = ListEntriesResponse { entries: entries.collect(), next_cursor: "c".to_owned() };
    edge.fakes.on("AuditService/ListEntries", move |_: ListEntriesRequest| Ok(answer.clone()));
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
    let (one, other) = (id(), id());
    for site in [&one, &one, &other, &one] {
        edge.get(&edge.sysadmin(), &ask(site)).await.data();
    }
    let sites: Vec<String> = edge
        .fakes
        .asked(CROSS)
        .iter()
        .map(|asked| asked.message::<CrossSiteRequest>().site_id)
        .collect();
    assert_eq!(sites, [one.clone(), other]);
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
    let sites: Vec<String> = edge
        .fakes
        .asked(CROSS)
        .iter()
        .map(|asked| asked.message::<CrossSiteRequest>().site_id)
        .collect();
    assert_eq!(sites, [searched, answered]);
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
    // Of a site that is not theirs the service itself says that it is not there.
    edge.fakes.refuse(CROSS, ErrorCode::NotFound);
    edge.get(&edge.sysadmin(), &format!("/api/admin/dashboard?site_id={}", id())).await;
    assert_eq!(edge.fakes.asked("ReportService/GetDashboard").len(), 2);
    let asked = edge.fakes.asked(CROSS).len();
    edge.get(&edge.admin(Role::ContractorAdmin), &format!("/api/admin/dashboard?site_id={}", id()))
        .await;
    assert_eq!(edge.fakes.asked(CROSS).len(), asked);
}
