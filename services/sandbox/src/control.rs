//! The knobs: an index of all of them, and site time.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use chrono::{DateTime, FixedOffset, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use types::SiteClock;

use crate::envelope::{Refused, control_body};
use crate::sandbox::{Sandbox, local};
use crate::{door, face, faults, realname, sms, wechat};

const INDEX: &[(&str, &str)] = &[
    (
        "GET /wechat/sns/jscode2session",
        "sign-in; js_code demo-<anything> gives a stable openid, demo-<anything>!<nonce> works once",
    ),
    ("POST /wechat/cgi-bin/stable_token", "access token, 7200 s of system time"),
    ("POST /wechat/wxa/business/getuserphonenumber", "code phone-<11 digits> gives that number"),
    ("POST /wechat/cgi-bin/message/subscribe/send", "spends one consent; 43101 when there is none"),
    ("POST /face/cityservice/face/identify/getverifyid", "begins a face check; also under /wechat"),
    (
        "POST /face/cityservice/face/identify/queryverifyinfo",
        "passed when errcode is 0 and verify_ret 10000",
    ),
    ("POST /sms", "Tencent Cloud SendSms, TC3 signed"),
    ("GET /realname/integration/realname/workers", "?keyword=&page=&page_size=&updated_since="),
    ("GET /realname/integration/realname/workers/{id_no}", "one person"),
    ("POST /door/api/integration/access-control/grants", "gives or replaces a grant"),
    (
        "GET /door/api/integration/access-control/grants",
        "?access_group_id=&cursor=&limit= what the door holds",
    ),
    ("DELETE /door/api/integration/access-control/grants/{grant_id}", "takes a grant away"),
    (
        "POST /_control/wechat/consents",
        "{openid, template, accepted}: taps of requestSubscribeMessage; template is an id or a name",
    ),
    ("GET /_control/wechat/consents", "?openid= balances"),
    (
        "GET /_control/wechat/messages",
        "?openid=&since= messages that arrived; since is a msgid or an instant of site time",
    ),
    ("GET /_control/sms", "?phone= texts that arrived"),
    (
        "POST /_control/face/verify",
        "{verify_id, outcome}: the person before the camera; pass, fail, cancel, unsure or timeout",
    ),
    (
        "POST /_control/face/tokens",
        "{worker, outcome}: the outcome of that identity number's next face check",
    ),
    ("GET /_control/realname", "how many people and which contractors the roster holds"),
    ("GET /_control/doors", "every door and its unreported passages"),
    ("GET /_control/doors/{access_group_id}", "one door"),
    (
        "POST /_control/doors/{access_group_id}",
        "{state, device_id, door_name}; state is ok, broken, refuse_all or offline",
    ),
    (
        "GET /_control/doors/{access_group_id}/permissions",
        "what the door holds, with the last push's traceparent",
    ),
    (
        "POST /_control/doors/{access_group_id}/swipe",
        "{face_id, direction}: the door decides by what it holds and reports the passage",
    ),
    ("GET /_control/faults", "faults in force"),
    (
        "POST /_control/faults",
        "{target, mode, rate, seconds, delay_ms}; target wechat, sms, face, realname, door or door:<access_group_id>; mode error, timeout, slow or drop_reply; seconds of system time",
    ),
    ("DELETE /_control/faults", "ends all faults"),
    ("GET /_control/clock", "site time and its speed"),
    (
        "POST /_control/clock",
        "{now, speed}: either or both; answers when every process has taken it",
    ),
];

pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/", get(index))
        .route("/clock", get(clock).post(set_clock))
        .merge(wechat::control())
        .merge(face::control())
        .merge(sms::control())
        .merge(realname::control())
        .merge(door::control())
        .merge(faults::control())
}

async fn index() -> Json<Value> {
    Json(INDEX.iter().map(|(call, help)| ((*call).to_owned(), json!(help))).collect())
}

pub(crate) async fn unknown() -> Refused {
    Refused::plain(StatusCode::NOT_FOUND, "no such call; GET /_control lists them")
}

async fn clock(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(json!({
        "now": sandbox.site_now().to_rfc3339(),
        "speed": sandbox.site().speed(),
        "system_now": local(sandbox.system_now()).to_rfc3339(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    now: Option<DateTime<FixedOffset>>,
    speed: Option<f64>,
}

async fn set_clock(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<Value>, Refused> {
    let wanted: Set = control_body(&body)?;
    let speed = wanted.speed.unwrap_or_else(|| sandbox.site().speed());
    if !SiteClock::allows_speed(speed) {
        return Err(Refused::mistake(format!(
            "speed: must be 0 to {} site seconds a second",
            SiteClock::MAX_SPEED
        )));
    }
    let now = wanted.now.map_or_else(|| sandbox.site().now(), |now| now.with_timezone(&Utc));
    if let Err(problem) = sandbox.set_clock(now, speed).await {
        return Err(Refused::plain(StatusCode::GATEWAY_TIMEOUT, problem));
    }
    Ok(clock(State(sandbox)).await)
}
