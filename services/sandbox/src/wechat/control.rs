//! The worker's thumb (`requestSubscribeMessage`) and what the phones show.

use axum::Json;
use axum::extract::{Query, State};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::is_openid;
use super::subscribe::{Message, TEMPLATES};
use crate::envelope::{Refused, control_body};
use crate::sandbox::Sandbox;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tap {
    openid: String,
    /// A template's id, or what Sitepass calls it.
    template: String,
    accepted: u32,
}

pub(super) async fn accept(
    State(sandbox): State<Sandbox>,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    let tap: Tap = control_body(&body)?;
    if !is_openid(&sandbox.config().wechat.appid, &tap.openid) {
        return Err(Refused::mistake("openid: not one of this app"));
    }
    let template = TEMPLATES
        .iter()
        .find(|template| template.id == tap.template || template.name == tap.template)
        .ok_or_else(|| Refused::mistake("template: unknown"))?;
    let mut wechat = sandbox.wechat();
    let balance = wechat.consents.entry((tap.openid.clone(), template.id.to_owned())).or_default();
    *balance = balance.saturating_add(tap.accepted);
    Ok(Json(json!({"openid": tap.openid, "template": template.id, "balance": *balance})))
}

#[derive(Deserialize)]
pub(super) struct Whose {
    openid: Option<String>,
    /// A message id, or an instant of site time.
    since: Option<String>,
}

pub(super) async fn consents(
    State(sandbox): State<Sandbox>,
    Query(whose): Query<Whose>,
) -> Json<Value> {
    let wechat = sandbox.wechat();
    let mut items: Vec<_> = wechat
        .consents
        .iter()
        .filter(|((openid, _), _)| whose.openid.as_ref().is_none_or(|wanted| wanted == openid))
        .collect();
    items.sort();
    let items: Vec<_> = items
        .into_iter()
        .map(|((openid, template), balance)| json!({"openid": openid, "template": template, "balance": balance}))
        .collect();
    Json(json!({"items": items}))
}

pub(super) async fn messages(
    State(sandbox): State<Sandbox>,
    Query(whose): Query<Whose>,
) -> Result<Json<Value>, Refused> {
    let since = whose.since.as_deref().map(Since::parse).transpose()?;
    let wechat = sandbox.wechat();
    let items: Vec<&Message> = wechat
        .messages
        .iter()
        .filter(|message| whose.openid.as_ref().is_none_or(|wanted| *wanted == message.openid))
        .filter(|message| match since {
            None => true,
            Some(Since::Message(msgid)) => message.msgid > msgid,
            Some(Since::Instant(instant)) => message.at >= instant,
        })
        .collect();
    Ok(Json(json!({"items": items})))
}

#[derive(Clone, Copy)]
enum Since {
    Message(u64),
    Instant(DateTime<Utc>),
}

impl Since {
    fn parse(text: &str) -> Result<Self, Refused> {
        if let Ok(msgid) = text.parse() {
            return Ok(Self::Message(msgid));
        }
        text.parse()
            .map(Self::Instant)
            .map_err(|_| Refused::mistake("since: neither a message id nor an instant"))
    }
}
