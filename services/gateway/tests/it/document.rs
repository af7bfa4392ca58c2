//! The API's document, and the page to browse it.

use std::collections::BTreeSet;

use gateway::access::{Access, TABLE};
use reqwest::Method;
use serde_json::{Value, json};

use crate::help::{edge, id};

async fn document() -> Value {
    let edge = edge().await;
    edge.get("", "/openapi.json").await.body
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap().iter();
        item.map(|(method, operation)| (method.to_uppercase(), path.clone(), operation))
    });
    operations.collect()
}

/// What of the table is an API and not its page.
fn listed() -> impl Iterator<Item = (String, String)> {
    let api = TABLE.iter().filter(|(_, path, _)| path.starts_with("/api/"));
    api.map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
}

#[tokio::test]
async fn the_document_and_the_access_table_name_the_same_routes() {
    let document = document().await;
    let described: BTreeSet<_> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    assert_eq!(described, listed().collect());
    let lines: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| (method, path)).collect();
    assert_eq!(lines.len(), TABLE.len(), "a route is listed twice");
}

#[tokio::test]
async fn the_document_is_whole_by_openapi_3_1() {
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{id} twice");
        let named: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in &parameters {
            assert!(parameter["schema"].is_object(), "{method} {path} {parameter}");
            assert_eq!(
                parameter["in"] == "path",
                named.contains(parameter["name"].as_str().unwrap())
            );
            assert!(parameter["in"] != "path" || parameter["required"] == true, "{path}");
        }
        let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(in_path, named.len(), "{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("200") && responses.contains_key("default"), "{path}");
        assert!(responses.values().all(|response| response["description"].is_string()), "{path}");
        assert!(method != "GET" || operation.get("requestBody").is_none(), "{path}");
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "$ref" => references.push(text.clone()),
                    value => collect(value, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_says_who_may_call() {
    let document = document().await;
    for (method, path, access) in TABLE.iter().filter(|(_, path, _)| path.starts_with("/api/")) {
        let operation = &document["paths"][path][method.to_lowercase()];
        let scheme = match access {
            Access::Public | Access::Signature => json!([]),
            Access::Account | Access::Permission(_) => json!([{"access_token": []}]),
            Access::Session | Access::Worker => json!([{"mp_session_token": []}]),
        };
        assert_eq!(operation["security"], scheme, "{method} {path}");
    }
    let release = "/api/admin/daily-tickets/{daily_ticket_id}/workers/{worker_id}/release";
    assert_eq!(document["paths"][release]["post"]["x-permission"], "grant.release");
}

#[tokio::test]
async fn commands_describe_the_requirements_fields() {
    let document = document().await;
    let body = &document["paths"]["/api/admin/work-tickets"]["post"]["requestBody"];
    assert_eq!(
        body["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/NewTicket"
    );
    let ticket = &document["components"]["schemas"]["NewTicket"];
    let described: BTreeSet<&str> =
        ticket["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    for field in [
        "title",
        "site_id",
        "contractor_id",
        "start_date",
        "end_date",
        "access_time_window",
        "training_deadline",
        "area_ids",
        "worker_ids",
        "video_ids",
        "notify_policy",
        "remark",
    ] {
        assert!(described.contains(field), "{field}");
    }
    assert_eq!(ticket["additionalProperties"], false);
}

#[tokio::test]
async fn the_page_loads_nothing_from_outside() {
    let edge = edge().await;
    let home = edge.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(
        (home.status().as_u16(), &home.headers()["location"]),
        (307, &"/docs/".parse().unwrap())
    );
    let page = edge.request(Method::GET, "/docs/").send().await.unwrap();
    assert_eq!(page.status().as_u16(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("http") && !policy.contains('*'), "{policy}");
    let html = page.text().await.unwrap();
    let loaded: Vec<&str> = html
        .split(['"', '\''])
        .filter(|text| text.starts_with("http") || text.starts_with("//"))
        .collect();
    assert!(loaded.is_empty(), "{loaded:?}");
    // Without inline scripts, or the policy would leave the page empty.
    assert!(!html.replace(' ', "").contains("<script>"), "{html}");
    let scripts: Vec<&str> =
        html.split("src=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(scripts.len() >= 2, "{scripts:?}");
    for script in scripts {
        let path = format!("/docs/{}", script.trim_start_matches("./"));
        let loaded = edge.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(loaded.status().as_u16(), 200, "{path}");
    }
    let start = edge.request(Method::GET, "/docs/swagger-initializer.js").send().await.unwrap();
    let start = start.text().await.unwrap();
    assert!(start.contains("/openapi.json") && !start.contains("http"), "{start}");
}

#[tokio::test]
async fn a_command_refuses_every_parameter_that_the_document_does_not_give_it() {
    let edge = edge().await;
    let document = edge.get("", "/openapi.json").await.body;
    let (admin, phone) = (edge.sysadmin(), edge.phone());
    let mut previews = 0;
    for (method, path, operation) in operations(&document) {
        let path = named(&path);
        let is_phones = path.starts_with("/api/mp/");
        let send = async |query: &str| {
            let method = method.parse().unwrap();
            let request = edge.request(method, &format!("{path}?{query}"));
            edge.send(request.bearer_auth(if is_phones { &phone } else { &admin })).await
        };
        let refused = send("preveiw=true&%70review=&colour=red").await;
        let unknown = ["colour", "preveiw", "preview"].map(str::to_owned);
        let is_command = method != "GET" && !path.starts_with("/api/integration/");
        assert_eq!(refused.fields() == unknown, is_command, "{method} {path}: {refused:?}");
        if is_command {
            assert_eq!((refused.status, refused.code()), (400, 40001));
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|parameter| is_command && parameter["in"] == "query") {
            assert_eq!(parameter["name"], "preview");
            let fields = send("preview=true").await.fields();
            assert!(!fields.contains(&"preview".to_owned()), "{method} {path}: {fields:?}");
            previews += 1;
        }
    }
    assert_eq!(previews, 5);
    assert!(edge.fakes.asked("TicketService/PublishTicket").is_empty());
}

#[tokio::test]
async fn a_command_heeds_a_key_where_the_document_gives_it_one_and_nowhere_else() {
    let edge = edge().await;
    let document = edge.get("", "/openapi.json").await.body;
    let (admin, phone) = (edge.sysadmin(), edge.phone());
    let mut keyed = 0;
    for (method, path, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let mut headers = parameters.filter(|parameter| parameter["in"] == "header");
        let described = headers.any(|header| header["name"] == "Idempotency-Key");
        let path = named(&path);
        let request = edge.request(method.parse().unwrap(), &path);
        let token = if path.starts_with("/api/mp/") { &phone } else { &admin };
        let request = request.bearer_auth(token).header("idempotency-key", "two words");
        let refused = edge.send(request).await.fields() == ["Idempotency-Key"];
        assert_eq!(refused, described, "{method} {path}");
        keyed += u32::from(described);
    }
    assert_eq!(keyed, 10);
}

/// The path with an id in each place.
fn named(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { id() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}
