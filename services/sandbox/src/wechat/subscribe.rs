//! One-time subscribe messages: a message spends a consent, and a repeated call delivers twice.

use axum::Json;
use axum::extract::{Query, State};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Errcode, Presented, is_openid, parse, values};
use crate::sandbox::Sandbox;

/// A message template as the mini-program's owner has it approved.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// What Sitepass calls the notice.
    pub name: &'static str,
    pub id: &'static str,
    /// The keys that must all be filled; the letters before the number are the kind of value.
    pub keys: &'static [&'static str],
}

// Task, date, area, deadline, what to do.
const KEYS: &[&str] = &["thing1", "date2", "thing3", "time4", "thing5"];

/// The templates this app owns; any other id is refused with 40037.
pub const TEMPLATES: [Template; 3] = [
    Template {
        name: "TICKET_PUBLISHED",
        id: "sitepass-ticket-published-00000000000000001",
        keys: KEYS,
    },
    Template {
        name: "DAILY_REMINDER",
        id: "sitepass-daily-reminder-0000000000000000002",
        keys: KEYS,
    },
    Template {
        name: "DEADLINE_SOON",
        id: "sitepass-deadline-soon-00000000000000000003",
        keys: KEYS,
    },
];

/// The pages of the released mini-program; any other is refused with 41030. A query may follow.
pub const PAGES: [&str; 7] = [
    "pages/index/index",
    "pages/bind/index",
    "pages/tasks/index",
    "pages/task/index",
    "pages/training/index",
    "pages/pass/index",
    "pages/records/index",
];

// Message ids are above 2^53 on purpose: a reader that parses them as floating point loses the end.
const FIRST_MSGID: u64 = 1_988_810_812_324_364_291;

/// A message that reached a phone.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Message {
    pub(super) msgid: u64,
    pub(super) openid: String,
    template: String,
    template_name: &'static str,
    page: Option<String>,
    data: Map<String, Value>,
    /// Site time.
    pub(super) at: DateTime<Utc>,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    touser: String,
    #[serde(default)]
    template_id: String,
    page: Option<String>,
    #[serde(default)]
    data: Map<String, Value>,
    miniprogram_state: Option<String>,
    lang: Option<String>,
}

pub(super) async fn send(
    State(sandbox): State<Sandbox>,
    presented: Query<Presented>,
    body: Bytes,
) -> Result<Json<Value>, Errcode> {
    Presented::check(&presented, &sandbox)?;
    let wanted: Wanted = parse(&body)?;
    if !is_openid(&sandbox.config().wechat.appid, &wanted.touser) {
        return Err(Errcode::new(40003, "invalid openid"));
    }
    let template = TEMPLATES
        .iter()
        .find(|template| template.id == wanted.template_id)
        .ok_or_else(|| Errcode::new(40037, "invalid template_id"))?;
    check_page(wanted.page.as_deref())?;
    one_of(
        wanted.miniprogram_state.as_deref(),
        &["developer", "trial", "formal"],
        "miniprogram_state",
    )?;
    one_of(wanted.lang.as_deref(), &["zh_CN", "en_US", "zh_HK", "zh_TW"], "lang")?;
    values::check(template.keys, &wanted.data)?;

    let mut wechat = sandbox.wechat();
    match wechat.consents.get_mut(&(wanted.touser.clone(), template.id.to_owned())) {
        Some(balance) if *balance > 0 => *balance -= 1,
        _ => return Err(Errcode::new(43101, "user refuse to accept the msg")),
    }
    let msgid = wechat.messages.last().map_or(FIRST_MSGID, |last| last.msgid + 7);
    wechat.messages.push(Message {
        msgid,
        openid: wanted.touser,
        template: template.id.to_owned(),
        template_name: template.name,
        page: wanted.page,
        data: wanted.data,
        at: sandbox.site().now(),
    });
    Ok(Json(json!({"errcode": 0, "errmsg": "ok", "msgid": msgid})))
}

fn check_page(page: Option<&str>) -> Result<(), Errcode> {
    let Some(page) = page.filter(|page| !page.is_empty()) else { return Ok(()) };
    let path = page.split_once('?').map_or(page, |(path, _)| path);
    if PAGES.contains(&path) { Ok(()) } else { Err(Errcode::new(41030, "invalid page")) }
}

fn one_of(value: Option<&str>, allowed: &[&str], name: &str) -> Result<(), Errcode> {
    if value.is_none_or(|value| allowed.contains(&value)) {
        return Ok(());
    }
    Err(Errcode::new(47003, format!("argument invalid! {name} invalid")))
}
