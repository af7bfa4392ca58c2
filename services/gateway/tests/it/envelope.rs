use proto::directory::v1::{ListSitesRequest, ListSitesResponse};
use reqwest::Method;
use serde_json::json;
use service::telemetry::Telemetry;
use types::ErrorCode;

use crate::help::{edge, edge_behind, keys};

const LIST: &str = "DirectoryService/ListSites";

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_answer_in_the_envelope() {
    let edge = edge().await;
    let unknown = edge.get("", "/api/admin/nowhere").await;
    assert_eq!((unknown.status, unknown.code()), (404, 40400));
    assert_eq!(keys(&unknown.body), ["code", "data", "message"]);
    assert_eq!(unknown.body["message"], "NOT_FOUND");
    assert_eq!(unknown.body["data"]["detail"], "Not found");
    let wrong = edge.send(edge.request(Method::PUT, "/api/admin/sites")).await;
    assert_eq!((wrong.status, wrong.code()), (405, 40500));
    assert_eq!(wrong.headers["allow"], "GET, POST");
}

#[tokio::test]
async fn a_refusal_speaks_the_client_s_language() {
    let edge = edge().await;
    let request = edge.client.get(format!("{}/api/admin/auth/me", edge.url));
    let chinese = edge.send(request).await;
    assert_eq!(chinese.body["data"]["detail"], "请先登录");
    let english = edge.get("", "/api/admin/auth/me").await;
    assert_eq!(english.body["data"]["detail"], "Please sign in");
}

#[tokio::test]
async fn malformed_json_is_told_from_a_bad_field() {
    let edge = edge().await;
    let login = |body: &'static str, kind: &'static str| {
        edge.request(Method::POST, "/api/admin/auth/login").header("content-type", kind).body(body)
    };
    let json = "application/json; charset=utf-8";
    let malformed = edge.send(login("{\"username\": \"a\"", json)).await;
    assert_eq!((malformed.status, malformed.code()), (400, 40002));
    let unknown =
        edge.send(login(r#"{"username": "a", "password": "b", "remember": true}"#, json)).await;
    assert_eq!((unknown.code(), unknown.fields()), (40001, vec!["remember".to_owned()]));
    let unsupported = edge.send(login(r#"{"username": "a"}"#, "text/plain")).await;
    assert_eq!((unsupported.status, unsupported.code()), (415, 41501));
    let empty = edge.send(edge.request(Method::POST, "/api/admin/auth/login")).await;
    assert_eq!(empty.fields(), ["password", "username"]);
}

#[tokio::test]
async fn a_length_that_is_declared_too_large_is_refused_without_waiting_for_it() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let edge = edge().await;
    let address = edge.url.strip_prefix("http://").unwrap();
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "POST /api/mp/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 99999999999\r\n\r\n{}";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    let answered = client.read_exact(&mut status);
    let within = std::time::Duration::from_secs(10);
    tokio::time::timeout(within, answered).await.expect("an answer at once").unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_too_large() {
    let edge = edge().await;
    let body = json!({"username": "a".repeat(1 << 20), "password": "b"});
    let large = edge.post("", "/api/admin/auth/login", &body).await;
    assert_eq!((large.status, large.code()), (413, 41301));
}

#[tokio::test]
async fn a_store_that_is_away_is_503_and_not_500() {
    let edge = edge().await;
    edge.fakes.refuse(LIST, ErrorCode::StoreUnavailable);
    let away = edge.get(&edge.sysadmin(), "/api/admin/sites").await;
    assert_eq!((away.status, away.code()), (503, 50302));
    // A question may be asked twice.
    assert_eq!(edge.fakes.asked(LIST).len(), 2);
}

#[tokio::test]
async fn a_command_is_never_sent_twice() {
    let edge = edge().await;
    edge.fakes.refuse("DirectoryService/CreateSite", ErrorCode::UpstreamUnavailable);
    let away = edge.post(&edge.sysadmin(), "/api/admin/sites", &json!({"name": "A"})).await;
    assert_eq!((away.status, away.code()), (503, 50301));
    edge.fakes.only("DirectoryService/CreateSite");
}

#[tokio::test]
async fn a_service_that_fails_without_a_word_is_internal_and_nothing_leaks() {
    let edge = edge().await;
    let failed = edge.get(&edge.sysadmin(), "/api/admin/sites").await;
    assert_eq!((failed.status, failed.code()), (500, 50000));
    assert!(!failed.body.to_string().contains("ListSites"));
}

#[tokio::test]
async fn a_busy_service_says_when_to_come_back() {
    let edge = edge().await;
    let busy = |_: ListSitesRequest| -> Result<ListSitesResponse, _> {
        Err(service::Refusal::new(ErrorCode::TooManyRequests).data("retry_after_sec", 40).into())
    };
    edge.fakes.on(LIST, busy);
    let busy = edge.get(&edge.sysadmin(), "/api/admin/sites").await;
    assert_eq!((busy.status, busy.code()), (429, 42901));
    assert_eq!(busy.headers["retry-after"], "40");
}

#[tokio::test]
async fn a_proxy_of_ours_says_whose_address_travels_on() {
    let edge = edge_behind("127.0.0.0/8").await;
    for (said, address) in [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 127.0.0.7", "203.0.113.9"),
        ("203.0.113.9, unknown", "127.0.0.1"),
    ] {
        let request = edge.request(Method::GET, "/api/admin/sites").bearer_auth(edge.sysadmin());
        edge.send(request.header("x-forwarded-for", said)).await;
        let caller = edge.fakes.asked(LIST).pop().unwrap().caller;
        assert_eq!(caller.address.as_deref(), Some(address), "{said}");
    }
}

#[tokio::test]
async fn the_request_s_id_the_caller_and_the_peer_s_own_address_travel_on() {
    let edge = edge().await;
    let request = edge
        .request(Method::GET, "/api/admin/sites")
        .bearer_auth(edge.sysadmin())
        .header("x-request-id", "req-42")
        .header("x-forwarded-for", "203.0.113.9")
        .header("forwarded", "for=203.0.113.9");
    let answered = edge.send(request).await;
    assert_eq!(answered.headers["x-request-id"], "req-42");
    let caller = edge.fakes.only(LIST).caller;
    assert_eq!(caller.on_behalf_request.as_deref(), Some("req-42"));
    assert_eq!(caller.address.as_deref(), Some("127.0.0.1"));
    assert_eq!(caller.account_id(), Some(edge.account));
    assert_eq!(caller.sites, auth::Sites::Some(vec![edge.site]));
}

#[tokio::test]
async fn a_client_s_trace_goes_on_in_the_answer() {
    let telemetry = Telemetry::install(None, "info").unwrap();
    let edge = edge().await;
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = edge.request(Method::GET, "/openapi.json").header("traceparent", theirs);
    let answered = edge.send(request).await;
    let ours = answered.headers["traceparent"].to_str().unwrap();
    assert_eq!(ours[..36], theirs[..36]);
    assert_ne!(ours, theirs);
    assert!(edge.get("", "/nowhere").await.headers.contains_key("traceparent"));
    drop(telemetry);
}

#[tokio::test]
async fn an_idempotency_key_goes_with_commands_and_an_odd_one_is_refused() {
    let edge = edge().await;
    let create = |key: &str| {
        let request = edge.request(Method::POST, "/api/admin/sites").bearer_auth(edge.sysadmin());
        request.header("idempotency-key", key).json(&json!({"name": "A"}))
    };
    edge.send(create("key-1")).await;
    let asked = edge.fakes.only("DirectoryService/CreateSite");
    assert_eq!(asked.idempotency_key.as_deref(), Some("key-1"));
    for odd in ["", "two words", &"k".repeat(129)] {
        let refused = edge.send(create(odd)).await;
        assert_eq!((refused.code(), refused.fields()), (40001, vec!["Idempotency-Key".to_owned()]));
    }
    edge.fakes.only("DirectoryService/CreateSite");
}

#[tokio::test]
async fn an_id_that_is_none_is_of_nothing() {
    let edge = edge().await;
    let found = edge.get(&edge.sysadmin(), "/api/admin/work-tickets/t_1001").await;
    assert_eq!((found.status, found.code()), (404, 40400));
}
