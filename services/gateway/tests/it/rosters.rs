//! Workers from a workbook or pasted lines, and tickets by a person.

use proto::directory::v1::{
    MatchWorkersRequest, MatchWorkersResponse, SearchWorkersRequest, SearchWorkersResponse,
    WorkerMatch, WorkerRow,
};
use proto::ticket::v1::{
    GetTicketRequest, GetTicketResponse, ListTicketsRequest, ListTicketsResponse, Ticket,
};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use sheets::{Cell, Limits, Sheet};
use types::{ErrorCode, Role};

use crate::help::{Answered, Edge, edge, id, keys};

const MATCH: &str = "DirectoryService/MatchWorkers";
const IMPORT: &str = "/api/admin/work-tickets/workers/import";

fn workbook(rows: &[[&str; 3]]) -> Vec<u8> {
    let mut sheet = Sheet::new("名单", &["姓名", "身份证号", "手机号"]);
    for row in rows {
        sheet.row(row);
    }
    sheets::book(vec![sheet]).unwrap()
}

pub(crate) fn worker(number: u32) -> WorkerRow {
    WorkerRow {
        worker_id: format!("w{number}"),
        name: format!("测试工人{number:02}"),
        id_no_masked: "659***********0013".to_owned(),
        phone_masked: "199****0001".to_owned(),
        ..WorkerRow::default()
    }
}

fn found(number: u32) -> WorkerMatch {
    WorkerMatch {
        outcome: "FOUND".to_owned(),
        workers: vec![worker(number)],
        ..WorkerMatch::default()
    }
}

fn refused(outcome: &str, field: &str) -> WorkerMatch {
    WorkerMatch { outcome: outcome.to_owned(), field: field.to_owned(), ..WorkerMatch::default() }
}

/// `directory` answers these, whatever it is asked.
fn directory_matches(edge: &Edge, matches: Vec<WorkerMatch>) {
    edge.fakes.on(MATCH, move |_: MatchWorkersRequest| {
        let synced_at = prost_types::Timestamp { seconds: 1_772_406_309, nanos: 0 };
        Ok(MatchWorkersResponse { matches: matches.clone(), roster_synced_at: Some(synced_at) })
    });
}

async fn upload(edge: &Edge, path: &str, file: Vec<u8>, texts: &[(&str, &str)]) -> Answered {
    let mut form = Form::new().part("file", Part::bytes(file).file_name("list.xlsx"));
    for (name, text) in texts {
        form = form.text((*name).to_owned(), (*text).to_owned());
    }
    let token = edge.admin(Role::ContractorAdmin);
    edge.send(edge.request(Method::POST, path).bearer_auth(token).multipart(form)).await
}

#[tokio::test]
async fn the_template_has_the_columns_that_an_import_reads() {
    let edge = edge().await;
    let path = "/api/admin/work-tickets/import-template";
    let got = edge.request(Method::GET, path).bearer_auth(edge.sysadmin()).send().await.unwrap();
    let header = |name: &str| got.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-type").contains("spreadsheetml.sheet"));
    assert_eq!(header("content-disposition"), "attachment; filename=\"workers-template.xlsx\"");
    let rows = sheets::read(&got.bytes().await.unwrap(), Limits::default()).unwrap();
    let headings = ["姓名", "身份证号", "手机号"].map(|text| Cell::Text(text.to_owned()));
    assert_eq!((rows.len(), &rows[0].cells[..]), (1, &headings[..]));
}

#[tokio::test]
async fn each_row_of_a_workbook_is_answered_and_nobody_is_imported() {
    let edge = edge().await;
    directory_matches(
        &edge,
        vec![
            found(1),
            refused("NOT_FOUND", "id_no"),
            WorkerMatch { workers: vec![worker(1)], ..refused("DUPLICATE", "") },
            WorkerMatch { workers: vec![worker(2), worker(3)], ..refused("AMBIGUOUS", "name") },
        ],
    );
    let site = id();
    let file = workbook(&[
        ["测试工人01", "659999199001010013", "19900000001"],
        ["", "659999199001010099", ""],
        ["测试工人01", "", ""],
        ["测试工人02", "", ""],
    ]);
    let answered = upload(&edge, IMPORT, file, &[("site_id", &site)]).await;
    let roster = answered.data();
    assert_eq!(keys(roster), ["found", "refused", "roster_synced_at", "rows", "worker_ids"]);
    assert_eq!(roster["roster_synced_at"], "2026-03-01T23:05:09Z", "how old the roster is");
    assert_eq!(roster["worker_ids"], json!(["w1"]));
    assert_eq!((&roster["found"], &roster["refused"]), (&json!(1), &json!(3)));
    let rows = roster["rows"].as_array().unwrap();
    let shown: Vec<Value> = rows
        .iter()
        .map(|row| json!([row["row"], row["column"], row["outcome"], row["first_row"]]))
        .collect();
    let wanted = json!([
        [2, null, "FOUND", null],
        [3, "B", "NOT_FOUND", null],
        [4, null, "DUPLICATE", 2],
        [5, "A", "AMBIGUOUS", null],
    ]);
    assert_eq!(json!(shown), wanted);
    assert_eq!(rows[0]["workers"][0]["id_no"], "659***********0013");
    assert_eq!(rows[0]["reason"], Value::Null);
    assert_eq!(rows[1]["reason"], "Nobody of this name or number is on the roster");
    assert_eq!(rows[3]["workers"].as_array().unwrap().len(), 2);

    let asked: MatchWorkersRequest = edge.fakes.only(MATCH).message();
    assert_eq!((asked.site_id, asked.contractor_id.as_str()), (site, ""));
    assert_eq!(asked.lines.len(), 4);
    assert_eq!(asked.lines[0].phone, "19900000001");
    assert!(edge.fakes.asked("TicketService/CreateTicket").is_empty());
}

#[tokio::test]
async fn a_cell_that_cannot_be_read_is_told_with_its_row_and_the_rest_goes_on() {
    let edge = edge().await;
    directory_matches(
        &edge,
        vec![found(1), WorkerMatch { first_line: 0, ..refused("DUPLICATE", "") }],
    );
    let long = "字".repeat(201);
    let file = workbook(&[["测试工人01", "", ""], [&long, "", ""], ["测试工人01", "", ""]]);
    let answered = upload(&edge, IMPORT, file, &[("site_id", &id())]).await;
    let rows = &answered.data()["rows"];
    assert_eq!((&rows[1]["row"], &rows[1]["column"]), (&json!(3), &json!("A")));
    assert_eq!((&rows[1]["outcome"], &rows[1]["field"]), (&json!("BAD_CELL"), &json!("name")));
    assert_eq!((&rows[2]["row"], &rows[2]["first_row"]), (&json!(4), &json!(2)));
    let asked: MatchWorkersRequest = edge.fakes.only(MATCH).message();
    assert_eq!(asked.lines.len(), 2);
}

#[tokio::test]
async fn what_is_no_workbook_is_refused_by_what_it_is() {
    let edge = edge().await;
    let site = id();
    let site = [("site_id", site.as_str())];
    let text = upload(&edge, IMPORT, b"name,id_no".to_vec(), &site).await;
    assert_eq!((text.code(), text.fields()), (41501, vec!["file".to_owned()]));
    let large = upload(&edge, IMPORT, vec![0; (2 << 20) + 1], &site).await;
    assert_eq!(large.code(), 41301);
    let headless =
        upload(&edge, IMPORT, sheets::book(vec![Sheet::new("s", &["工种"])]).unwrap(), &site).await;
    assert_eq!((headless.code(), headless.fields()), (40001, vec!["file".to_owned()]));
    let mut rows = Sheet::new("s", &["姓名"]);
    for number in 0..2_001 {
        rows.row([format!("测试{number}")]);
    }
    let many = upload(&edge, IMPORT, sheets::book(vec![rows]).unwrap(), &site).await;
    assert_eq!((many.code(), many.fields()), (40001, vec!["file".to_owned()]));
    let nothing =
        upload(&edge, IMPORT, Vec::new(), &[("colour", "red"), ("contractor_id", "x")]).await;
    assert_eq!(nothing.fields(), ["colour", "contractor_id", "file", "site_id"]);
    assert!(edge.fakes.asked(MATCH).is_empty());
}

#[tokio::test]
async fn a_ticket_gives_site_and_contractor_and_who_is_on_it_is_told_apart() {
    let edge = edge().await;
    let (site, contractor) = (id(), id());
    let ticket = Ticket {
        site_id: site.clone(),
        contractor_id: contractor.clone(),
        worker_ids: vec!["w1".to_owned()],
        ..Ticket::default()
    };
    edge.fakes.on("TicketService/GetTicket", move |_: GetTicketRequest| {
        Ok(GetTicketResponse { ticket: Some(ticket.clone()), ..Default::default() })
    });
    directory_matches(&edge, vec![found(1), found(2)]);
    let path = format!("/api/admin/work-tickets/{}/workers/import", id());
    let file = workbook(&[["测试工人01", "", ""], ["测试工人02", "", ""]]);
    let answered = upload(&edge, &path, file.clone(), &[]).await;
    assert_eq!(answered.data()["worker_ids"], json!(["w2"]));
    assert_eq!(answered.data()["rows"][0]["outcome"], "ON_TICKET");
    let asked: MatchWorkersRequest = edge.fakes.only(MATCH).message();
    assert_eq!((asked.site_id, asked.contractor_id), (site, contractor));

    edge.fakes.refuse("TicketService/GetTicket", ErrorCode::NotFound);
    assert_eq!(upload(&edge, &path, file, &[]).await.code(), 40400);
    assert_eq!(edge.fakes.asked(MATCH).len(), 1, "nobody is matched for another's ticket");
}

#[tokio::test]
async fn pasted_lines_are_matched_and_never_stand_in_an_address() {
    let edge = edge().await;
    directory_matches(&edge, vec![found(1), refused("BAD_ID_NO", "id_no")]);
    let path = "/api/admin/work-tickets/workers/match";
    let body =
        json!({"site_id": id(), "lines": ["测试工人01, 19900000001", "", "65999919900101001"]});
    let answered = edge.post(&edge.sysadmin(), path, &body).await;
    let rows = &answered.data()["rows"];
    assert_eq!((&rows[1]["row"], &rows[1]["column"]), (&json!(3), &Value::Null));
    assert_eq!(rows[1]["field"], "id_no");
    let asked: MatchWorkersRequest = edge.fakes.only(MATCH).message();
    assert_eq!(asked.lines[0].name, "测试工人01");
    assert_eq!(asked.lines[1].id_no, "65999919900101001");
    let blank = edge.post(&edge.sysadmin(), path, &json!({"site_id": id(), "lines": [" "]})).await;
    assert_eq!((blank.code(), blank.fields()), (40001, vec!["lines".to_owned()]));
}

#[tokio::test]
async fn tickets_are_searched_by_a_person_named_in_the_body() {
    let edge = edge().await;
    edge.fakes.on("DirectoryService/SearchWorkers", |asked: SearchWorkersRequest| {
        let workers =
            if asked.keyword == "测试工人01" { vec![worker(1), worker(2)] } else { vec![] };
        let total = u32::try_from(workers.len()).unwrap();
        Ok(SearchWorkersResponse { workers, total, roster_synced_at: None })
    });
    edge.fakes.on("TicketService/ListTickets", |_: ListTicketsRequest| {
        Ok(ListTicketsResponse { tickets: Vec::new(), total: 7 })
    });
    let path = "/api/admin/work-tickets/search";
    let body =
        json!({"site_id": id(), "worker": " 测试工人01 ", "status": "ACTIVE", "sort": "-title"});
    let found = edge.post(&edge.sysadmin(), path, &body).await;
    assert_eq!(found.data()["total"], 7);
    let asked: ListTicketsRequest = edge.fakes.only("TicketService/ListTickets").message();
    assert_eq!(asked.worker_ids, ["w1", "w2"]);
    let meant: SearchWorkersRequest = edge.fakes.only("DirectoryService/SearchWorkers").message();
    assert!(meant.departed_too, "tickets name who has left still");
    assert_eq!((asked.status.as_str(), asked.sort.as_str()), ("ACTIVE", "-title"));

    let nobody =
        edge.post(&edge.sysadmin(), path, &json!({"site_id": id(), "worker": "无此人"})).await;
    assert_eq!((&nobody.data()["total"], &nobody.data()["items"]), (&json!(0), &json!([])));
    assert_eq!(edge.fakes.asked("TicketService/ListTickets").len(), 1, "nobody is on no ticket");
    let homeless = edge.post(&edge.sysadmin(), path, &json!({"worker": "测试工人01"})).await;
    assert_eq!(homeless.fields(), ["site_id"]);
}
