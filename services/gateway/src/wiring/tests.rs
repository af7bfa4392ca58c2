//! What happens around a handler that misbehaves. The stand-in routes take the place of listed public ones.

use std::time::Duration;

use auth::CallerKeys;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use service::config::Secret;
use service::grpc::Peers;
use service::health::Health;
use service::{Shell, Tasks};
use tower::ServiceExt;
use types::{SiteClock, SystemClock};

use super::*;
use crate::proxies::Proxies;

/// The gateway, and the folder that goes with it.
async fn shared() -> (Shared, tempfile::TempDir) {
    let nats = async_nats::ConnectOptions::new().retry_on_initial_connect();
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        token_secret: Secret::new(&[1; 32]),
        blob_dir: folder.path().to_owned(),
        blob_secret: Secret::new(&[2; 32]),
        door_webhook_secrets: Vec::new(),
        public_url: Some("https://sitepass.example".parse().unwrap()),
        trusted_proxies: Proxies::default(),
    };
    let shell = Shell {
        clock: SiteClock::system(),
        system: SystemClock::system(),
        tasks: Tasks::new(),
        peers: Peers::in_process(),
        // Never reached.
        nats: service::Nats::connect(nats, "127.0.0.1:1").await.unwrap(),
        stream_prefix: "test".to_owned(),
        stream_replicas: 1,
        keys: CallerKeys::from_root(&[7; 32]).unwrap(),
        health: Health::default(),
    };
    (gateway(config, shell).unwrap(), folder)
}

async fn answer(router: Router, path: &str) -> (StatusCode, http::HeaderMap, Value) {
    let request = Request::builder().uri(path).header("accept-language", "en");
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_panic_is_an_envelope_and_the_next_request_is_served() {
    let (gateway, _folder) = shared().await;
    let routes = Router::new()
        .route("/", get(async || -> &'static str { panic!("boom") }))
        .route("/docs", get(async || "served"));
    let served = dressed(routes, gateway);
    let (status, _, body) = answer(served.clone(), "/").await;
    assert_eq!((status, &body["code"]), (StatusCode::INTERNAL_SERVER_ERROR, &json!(50000)));
    assert!(!body.to_string().contains("boom"));
    assert_eq!(answer(served, "/docs").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_a_timeout() {
    let (gateway, _folder) = shared().await;
    let routes = Router::new().route("/", get(async || std::future::pending::<&str>().await));
    let started = tokio::time::Instant::now();
    let (status, _, body) = answer(dressed(routes, gateway), "/").await;
    assert_eq!((status, &body["code"]), (StatusCode::GATEWAY_TIMEOUT, &json!(50401)));
    assert_eq!(started.elapsed().as_secs(), Duration::from_secs(15).as_secs());
}

#[tokio::test]
async fn a_full_house_says_when_to_come_back() {
    let (gateway, _folder) = shared().await;
    gateway.room.forget_permits(MAX_REQUESTS);
    let routes = Router::new().route("/", get(async || "served"));
    let (status, headers, body) = answer(dressed(routes, gateway), "/").await;
    assert_eq!((status, &body["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!(42901)));
    assert_eq!(headers["retry-after"], "1");
}

#[tokio::test]
async fn a_route_without_a_line_in_the_table_is_closed() {
    let (gateway, _folder) = shared().await;
    let routes = Router::new().route("/api/admin/forgotten", get(async || "leaked"));
    let (status, _, body) = answer(dressed(routes, gateway), "/api/admin/forgotten").await;
    assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!(40301)));
}

#[tokio::test]
async fn browsers_are_told_to_stay_on_tls_where_we_have_it() {
    let (gateway, _folder) = shared().await;
    let routes = Router::new().route("/", get(async || "served"));
    let (_, headers, _) = answer(dressed(routes, gateway), "/").await;
    assert_eq!(headers["strict-transport-security"], "max-age=31536000");
    assert_eq!(headers["x-content-type-options"], "nosniff");
}
