//! A stand-in for WeChat that answers as the test says and remembers what it delivered.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use test_support::Harness;
use tokio::net::TcpListener;

/// What a send call comes to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    Ok,
    Refuse(i64),
    /// Delivers and never answers.
    Hang,
}

#[derive(Debug, Clone)]
pub(crate) struct Wechat {
    pub(crate) mood: Arc<Mutex<Mood>>,
    pub(crate) delivered: Arc<Mutex<Vec<Value>>>,
    pub(crate) calls: Arc<Mutex<u32>>,
    /// Of the calls that told one.
    pub(crate) traceparents: Arc<Mutex<Vec<String>>>,
    pub(crate) address: SocketAddr,
}

impl Wechat {
    /// Listens at an address of its own.
    pub(crate) async fn start(harness: &Harness) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::at(harness, listener)
    }

    /// An address nobody listens at yet.
    pub(crate) async fn absent() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    pub(crate) fn at(harness: &Harness, listener: TcpListener) -> Self {
        let wechat = Self {
            mood: Arc::new(Mutex::new(Mood::Ok)),
            delivered: Arc::default(),
            calls: Arc::default(),
            traceparents: Arc::default(),
            address: listener.local_addr().unwrap(),
        };
        let token = || async { Json(json!({ "access_token": "token", "expires_in": 7200 })) };
        let router = Router::new()
            .route("/cgi-bin/stable_token", post(token))
            .route("/cgi-bin/message/subscribe/send", post(send))
            .with_state(wechat.clone());
        service::http::listen(&harness.shell.tasks, "wechat", listener, router);
        wechat
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn delivered(&self) -> Vec<Value> {
        self.delivered.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self) -> u32 {
        *self.calls.lock().unwrap()
    }
}

async fn send(
    State(wechat): State<Wechat>,
    headers: HeaderMap,
    Json(message): Json<Value>,
) -> Json<Value> {
    *wechat.calls.lock().unwrap() += 1;
    if let Some(traceparent) = headers.get("traceparent") {
        wechat.traceparents.lock().unwrap().push(traceparent.to_str().unwrap().to_owned());
    }
    let mood = *wechat.mood.lock().unwrap();
    if let Mood::Refuse(errcode) = mood {
        return Json(json!({ "errcode": errcode, "errmsg": "no" }));
    }
    wechat.delivered.lock().unwrap().push(message);
    if matches!(mood, Mood::Hang) {
        std::future::pending::<()>().await;
    }
    Json(json!({ "errcode": 0, "errmsg": "ok", "msgid": 1_988_810_812_324_364_291_u64 }))
}
