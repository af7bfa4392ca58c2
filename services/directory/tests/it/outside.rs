//! WeChat, the SMS firm and the real-name system, played on one port.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

#[derive(Debug, Clone)]
pub(crate) struct Outside {
    pub(crate) url: String,
    roster: Arc<Mutex<Arc<Vec<Value>>>>,
    texts: Arc<Mutex<Vec<Value>>>,
    sms_answer: Arc<Mutex<&'static str>>,
    realname_away: Arc<Mutex<bool>>,
    /// `updated_since` of each reading's first page; empty where the whole roster was asked for.
    asked_since: Arc<Mutex<Vec<String>>>,
    /// `project_code` of each page; empty where it was not sent.
    asked_projects: Arc<Mutex<Vec<String>>>,
    /// How many pages were asked for and not held back.
    pages: Arc<AtomicUsize>,
    /// The same with those that are held back.
    asked: Arc<AtomicUsize>,
    /// What the next pages say there is in all; the truth when there are none.
    totals: Arc<Mutex<VecDeque<usize>>>,
    /// What the roster becomes after the next page.
    then: Arc<Mutex<Option<Arc<Vec<Value>>>>>,
    /// Whether `project_code` is not looked at.
    ignores_projects: Arc<Mutex<bool>>,
    /// Of every phone that `getPhoneNumber` tells.
    country_code: Arc<Mutex<Value>>,
    /// Whether each page is the first one again, of a roster beyond counting.
    endless: Arc<Mutex<bool>>,
    /// Readings of the roster pass here; a test may hold them.
    gate: Arc<Semaphore>,
}

impl Outside {
    pub(crate) async fn start(tasks: &service::Tasks) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outside = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            roster: Arc::default(),
            texts: Arc::default(),
            sms_answer: Arc::new(Mutex::new("Ok")),
            realname_away: Arc::default(),
            asked_since: Arc::default(),
            asked_projects: Arc::default(),
            pages: Arc::default(),
            asked: Arc::default(),
            totals: Arc::default(),
            then: Arc::default(),
            ignores_projects: Arc::default(),
            country_code: Arc::new(Mutex::new(json!("86"))),
            endless: Arc::default(),
            gate: Arc::new(Semaphore::new(1000)),
        };
        let router = Router::new()
            .route("/sns/jscode2session", get(code_to_session))
            .route("/cgi-bin/stable_token", post(token))
            .route("/wxa/business/getuserphonenumber", post(phone_number))
            .route("/sms", post(text))
            .route("/integration/realname/workers", get(roster))
            .with_state(outside.clone());
        service::http::listen(tasks, "outside", listener, router);
        outside
    }

    pub(crate) fn set_roster(&self, people: &[Value]) {
        *self.roster.lock().unwrap() = Arc::new(people.to_vec());
    }

    /// The same as soon as one more page was answered.
    pub(crate) fn set_roster_after_a_page(&self, people: &[Value]) {
        *self.then.lock().unwrap() = Some(Arc::new(people.to_vec()));
    }

    pub(crate) fn realname_goes_away(&self, away: bool) {
        *self.realname_away.lock().unwrap() = away;
    }

    /// What each reading asked for: `updated_since`, or nothing for the whole roster.
    pub(crate) fn asked_since(&self) -> Vec<String> {
        self.asked_since.lock().unwrap().clone()
    }

    /// What each page was asked for: `project_code`, or nothing for everybody's.
    pub(crate) fn asked_projects(&self) -> Vec<String> {
        self.asked_projects.lock().unwrap().clone()
    }

    /// How many pages were asked for so far and not held back.
    pub(crate) fn pages(&self) -> usize {
        self.pages.load(Ordering::Relaxed)
    }

    /// How many pages were asked for in all, held back or not.
    pub(crate) fn asked_pages(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// The next pages say that there are so many in all, one after the other.
    pub(crate) fn claim_totals(&self, totals: &[usize]) {
        self.totals.lock().unwrap().extend(totals);
    }

    /// From now on everybody is listed, whatever project is asked for.
    pub(crate) fn ignore_projects(&self) {
        *self.ignores_projects.lock().unwrap() = true;
    }

    /// The country of every further phone that `getPhoneNumber` tells.
    pub(crate) fn phones_are_of(&self, country_code: Value) {
        *self.country_code.lock().unwrap() = country_code;
    }

    /// From now on each page is the first one again.
    pub(crate) fn never_end(&self) {
        *self.endless.lock().unwrap() = true;
    }

    /// The code that every further text is answered with; `drop` answers nothing of use.
    pub(crate) fn answer_texts_with(&self, code: &'static str) {
        *self.sms_answer.lock().unwrap() = code;
    }

    /// What phones received: the whole bodies.
    pub(crate) fn texts(&self) -> Vec<Value> {
        self.texts.lock().unwrap().clone()
    }

    /// The code in the last text.
    pub(crate) fn last_code(&self) -> String {
        let texts = self.texts();
        texts.last().unwrap()["TemplateParamSet"][0].as_str().unwrap().to_owned()
    }

    /// Holds every reading of the roster until the permit is dropped.
    pub(crate) async fn hold_roster(&self) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.gate).acquire_many_owned(1000).await.unwrap()
    }
}

/// `demo-x` is the openid `openid-of-x`, and `early-x` the same person without a unionid; everything else is no code.
async fn code_to_session(Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    if let Some(who) = query["js_code"].strip_prefix("early-") {
        return Json(json!({ "openid": format!("openid-of-{who}"), "session_key": "k" }));
    }
    match query["js_code"].strip_prefix("demo-") {
        Some(who) => Json(json!({
            "openid": format!("openid-of-{who}"),
            "unionid": format!("unionid-of-{who}"),
            "session_key": "k",
        })),
        None if query["js_code"] == "busy" => {
            Json(json!({ "errcode": -1, "errmsg": "system busy" }))
        }
        None => Json(json!({ "errcode": 40029, "errmsg": "invalid code" })),
    }
}

async fn token() -> Json<Value> {
    Json(json!({ "access_token": "t", "expires_in": 7200 }))
}

/// `phone-<digits>` is that phone.
async fn phone_number(State(outside): State<Outside>, Json(body): Json<Value>) -> Json<Value> {
    let Some(number) = body["code"].as_str().unwrap().strip_prefix("phone-") else {
        return Json(json!({ "errcode": 40029, "errmsg": "invalid code" }));
    };
    let country_code = outside.country_code.lock().unwrap().clone();
    let info =
        json!({ "phoneNumber": number, "purePhoneNumber": number, "countryCode": country_code });
    Json(json!({ "errcode": 0, "errmsg": "ok", "phone_info": info }))
}

async fn text(State(outside): State<Outside>, headers: HeaderMap, bytes: Bytes) -> Response {
    let code = *outside.sms_answer.lock().unwrap();
    let code = if is_signed(&headers, &bytes) { code } else { "AuthFailure.SignatureFailure" };
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    match code {
        "drop" => return StatusCode::BAD_GATEWAY.into_response(),
        "Ok" => outside.texts.lock().unwrap().push(body),
        _ => {}
    }
    Json(json!({ "Response": { "SendStatusSet": [{ "Code": code }], "RequestId": "r" } }))
        .into_response()
}

/// TC3-HMAC-SHA256, read from what arrived alone.
fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name: &str| headers[name].to_str().unwrap();
    let at: i64 = text("x-tc-timestamp").parse().unwrap();
    let date = chrono::DateTime::from_timestamp(at, 0).unwrap().format("%Y-%m-%d").to_string();
    let signed = "content-type;host;x-tc-action";
    let lines: Vec<String> =
        signed.split(';').map(|name| format!("{name}:{}\n", text(name).to_lowercase())).collect();
    let body = hex::encode(Sha256::digest(body));
    let canonical = format!("POST\n/\n\n{}\n{signed}\n{body}", lines.concat());
    let digest = hex::encode(Sha256::digest(canonical));
    let to_sign = format!("TC3-HMAC-SHA256\n{at}\n{date}/sms/tc3_request\n{digest}");
    let mac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes()
    };
    let key = mac(&mac(&mac(b"TC3key", &date), "sms"), "tc3_request");
    let signature = hex::encode(mac(&key, &to_sign));
    let credential = format!("AKIDtest/{date}/sms/tc3_request");
    let expected = format!(
        "TC3-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}"
    );
    text("authorization") == expected
        && text("x-tc-action") == "SendSms"
        && text("x-tc-version") == "2021-01-11"
}

async fn roster(
    State(outside): State<Outside>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let people = outside.roster.lock().unwrap().clone();
    outside.asked.fetch_add(1, Ordering::Relaxed);
    let _permit = outside.gate.acquire().await.unwrap();
    if *outside.realname_away.lock().unwrap() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let since = query.get("updated_since").cloned().unwrap_or_default();
    let project = query.get("project_code").cloned().unwrap_or_default();
    let everybody_s = *outside.ignores_projects.lock().unwrap();
    let asked =
        |person: &&Value| is_after(person, &since) && (everybody_s || is_of(person, &project));
    let people: Vec<&Value> = people.iter().filter(asked).collect();
    outside.asked_projects.lock().unwrap().push(project);
    let page: usize = query["page"].parse().unwrap();
    outside.pages.fetch_add(1, Ordering::Relaxed);
    if page == 1 {
        outside.asked_since.lock().unwrap().push(since);
    }
    let size: usize = query["page_size"].parse().unwrap();
    let endless = *outside.endless.lock().unwrap();
    let skipped = if endless { 0 } else { (page - 1) * size };
    let items: Vec<&Value> = people.iter().copied().skip(skipped).take(size).collect();
    let total = if endless { usize::MAX } else { people.len() };
    let total = outside.totals.lock().unwrap().pop_front().unwrap_or(total);
    if let Some(then) = outside.then.lock().unwrap().take() {
        *outside.roster.lock().unwrap() = then;
    }
    let data = json!({ "items": items, "total": total, "page": page, "page_size": size });
    Json(json!({ "code": 0, "message": "ok", "data": data })).into_response()
}

/// Who has no projects is of each.
fn is_of(person: &Value, project: &str) -> bool {
    let codes = person["project_codes"].as_array();
    project.is_empty() || codes.is_none_or(|codes| codes.contains(&json!(project)))
}

fn is_after(person: &Value, since: &str) -> bool {
    let instant = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
    let dated_after = |at: &str| instant(at) > instant(since);
    since.is_empty() || person["updated_at"].as_str().is_some_and(dated_after)
}

/// Somebody whom the roster says it knew otherwise before.
pub(crate) fn dated(mut person: Value, at: &str) -> Value {
    person["updated_at"] = json!(at);
    person
}

/// An invented person of the roster; the county of the identity number is not assigned.
pub(crate) fn person(number: u32) -> Value {
    json!({
        "id_no": id_no(number),
        "name": name(number),
        "phone": phone(number),
        "contractor_name": "示例一建",
        "trade": "木工",
        "team": "木工班",
        "face_id": format!("face_{number:04}"),
        "photo_url": photo_url(number),
        "status": "ACTIVE",
    })
}

pub(crate) fn name(number: u32) -> String {
    format!("测试工人{number:02}")
}

pub(crate) fn photo_url(number: u32) -> String {
    format!("https://realname.example/photos/{number:04}.jpg")
}

pub(crate) fn phone(number: u32) -> String {
    format!("1990000{number:04}")
}

pub(crate) fn id_no(number: u32) -> String {
    let body = format!("65999919900101{:03}", number % 1000);
    // The year counts the thousands, so that there are enough of them.
    let body = body.replacen("1990", &(1980 + number / 1000).to_string(), 1);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 =
        body.bytes().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    let check = char::from(b"10X98765432"[(sum % 11) as usize]);
    format!("{body}{check}")
}
