//! WeChat's server API (the host `api.weixin.qq.com`): sign-in codes, access tokens, phone numbers,
//! one-time subscribe messages.

mod control;
mod login;
mod subscribe;
mod tokens;
mod values;

use std::collections::{HashMap, HashSet};

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, extract::Query};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::sandbox::Sandbox;

pub(crate) use login::is_openid;
pub use subscribe::{PAGES, TEMPLATES, Template};

/// What WeChat remembers: tokens, used codes, consents, messages.
#[derive(Debug, Default)]
pub(crate) struct Wechat {
    tokens: tokens::Tokens,
    used_codes: HashSet<String>,
    consents: HashMap<(String, String), u32>,
    messages: Vec<subscribe::Message>,
}

pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/sns/jscode2session", get(login::jscode2session))
        .route("/cgi-bin/stable_token", post(tokens::stable_token))
        .route("/wxa/business/getuserphonenumber", post(login::phone_number))
        .route("/cgi-bin/message/subscribe/send", post(subscribe::send))
}

pub(crate) fn control() -> Router<Sandbox> {
    Router::new()
        .route("/wechat/consents", get(control::consents).post(control::accept))
        .route("/wechat/messages", get(control::messages))
}

/// A refusal as WeChat gives it: HTTP 200, `errcode`, and a request id at the end of `errmsg`.
#[derive(Debug)]
pub(crate) struct Errcode {
    number: i32,
    text: String,
}

impl Errcode {
    pub(crate) fn new(number: i32, text: impl Into<String>) -> Self {
        Self { number, text: text.into() }
    }

    pub(crate) fn busy() -> Self {
        Self::new(-1, "system error")
    }
}

impl IntoResponse for Errcode {
    fn into_response(self) -> Response {
        let rid = format!(
            "{:08x}-{:08x}-{:08x}",
            rand::random::<u32>(),
            rand::random::<u32>(),
            rand::random::<u32>()
        );
        Json(json!({"errcode": self.number, "errmsg": format!("{} rid: {rid}", self.text)}))
            .into_response()
    }
}

/// `?access_token=`, which most calls carry.
#[derive(Debug, Deserialize)]
pub(crate) struct Presented {
    access_token: Option<String>,
}

impl Presented {
    /// 41001, 40014, 40001 or 42001 unless the token is one of ours and alive.
    pub(crate) fn check(presented: &Query<Self>, sandbox: &Sandbox) -> Result<(), Errcode> {
        sandbox.wechat().tokens.check(presented.access_token.as_deref(), sandbox.system_now())
    }
}

pub(crate) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Errcode> {
    serde_json::from_slice(body).map_err(|_| Errcode::new(47001, "data format error hint: [json]"))
}

fn check_app(sandbox: &Sandbox, appid: Option<&str>, secret: Option<&str>) -> Result<(), Errcode> {
    let app = &sandbox.config().wechat;
    match (appid.unwrap_or_default(), secret.unwrap_or_default()) {
        ("", _) => Err(Errcode::new(41002, "appid missing")),
        (appid, _) if appid != app.appid => Err(Errcode::new(40013, "invalid appid")),
        (_, "") => Err(Errcode::new(41004, "appsecret missing")),
        (_, secret) if secret != app.secret => Err(Errcode::new(40125, "invalid appsecret")),
        _ => Ok(()),
    }
}
