//! The shared access token against a platform that forgets it.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use service::config::Secret;
use types::SystemClock;
use wechat::{Client, Config, Error, SubscribeMessage};

#[derive(Default)]
struct Platform {
    tokens: AtomicU32,
    sends: AtomicU32,
    /// Tokens up to this number are no longer taken.
    forgotten: AtomicU32,
}

async fn token(State(platform): State<Arc<Platform>>) -> Json<Value> {
    let number = platform.tokens.fetch_add(1, Ordering::SeqCst) + 1;
    Json(json!({ "access_token": number.to_string(), "expires_in": 7200 }))
}

async fn send(State(platform): State<Arc<Platform>>, Query(query): Query<Value>) -> Json<Value> {
    platform.sends.fetch_add(1, Ordering::SeqCst);
    let number: u32 = query["access_token"].as_str().unwrap().parse().unwrap();
    if number <= platform.forgotten.load(Ordering::SeqCst) {
        return Json(json!({ "errcode": 42001, "errmsg": "access_token expired" }));
    }
    Json(json!({ "errcode": 0, "errmsg": "ok", "msgid": 1_988_810_812_324_364_291_u64 }))
}

async fn start(platform: Arc<Platform>) -> Client {
    let router = Router::new()
        .route("/cgi-bin/stable_token", post(token))
        .route("/cgi-bin/message/subscribe/send", post(send))
        .with_state(platform);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    service::Tasks::new()
        .spawn("platform", async move { axum::serve(listener, router).await.unwrap() });
    let http = service::http::Client::new(Duration::from_secs(5)).unwrap();
    let secret = Secret::new(b"secret");
    Client::new(Config { url, appid: "wx-test".to_owned(), secret }, http, SystemClock::system())
}

fn message() -> SubscribeMessage {
    SubscribeMessage {
        openid: "o".to_owned(),
        template_id: "t".to_owned(),
        page: "pages/today".to_owned(),
        data: vec![("thing1".to_owned(), "x".to_owned())],
    }
}

#[tokio::test]
async fn many_callers_share_one_token() {
    let platform = Arc::new(Platform::default());
    let client = start(Arc::clone(&platform)).await;
    let message = message();
    let sent = futures_join(&client, &message).await;
    assert!(sent.iter().all(|answer| *answer == Ok(1_988_810_812_324_364_291)), "{sent:?}");
    assert_eq!(platform.tokens.load(Ordering::SeqCst), 1);
}

async fn futures_join(client: &Client, message: &SubscribeMessage) -> Vec<Result<u64, Error>> {
    let (one, two, three) = tokio::join!(
        client.subscribe_send(message),
        client.subscribe_send(message),
        client.subscribe_send(message)
    );
    vec![one, two, three]
}

#[tokio::test]
async fn a_forgotten_token_is_replaced_once_and_the_call_repeated() {
    let platform = Arc::new(Platform::default());
    let client = start(Arc::clone(&platform)).await;
    platform.forgotten.store(1, Ordering::SeqCst);
    assert!(client.subscribe_send(&message()).await.is_ok());
    assert_eq!(platform.tokens.load(Ordering::SeqCst), 2);
    assert_eq!(platform.sends.load(Ordering::SeqCst), 2);

    platform.forgotten.store(u32::MAX, Ordering::SeqCst);
    assert_eq!(client.subscribe_send(&message()).await, Err(Error::BadToken));
    assert_eq!(
        platform.tokens.load(Ordering::SeqCst),
        3,
        "a second refusal is not answered with a third token"
    );
}

#[tokio::test]
async fn a_platform_that_is_not_there_may_be_asked_again() {
    let platform = Arc::new(Platform::default());
    drop(start(platform).await);
    let http = service::http::Client::new(Duration::from_secs(2)).unwrap();
    // Port 1 on loopback refuses connections.
    let config = Config {
        url: "http://127.0.0.1:1".to_owned(),
        appid: "wx-test".to_owned(),
        secret: Secret::new(b"s"),
    };
    let client = Client::new(config, http, SystemClock::system());
    assert_eq!(client.subscribe_send(&message()).await, Err(Error::Retry { errcode: None }));
}
