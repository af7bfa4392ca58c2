//! Two sites, three contractors, everybody who may ask, and one object of each kind.

use std::collections::BTreeMap;

use auth::{AccessTokens, Audience, Claims, Subject};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use fleet::{Admin, Api, Sandbox, Timeline, Urls, Worker};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Backing, Installation, eventually};
use types::{Role, SystemClock};

use super::samples::{Body, Objects, Route};

/// Somebody with a token.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) token: String,
    /// Whether the objects of the first site are theirs to see, and whether those of its first contractor are.
    pub(crate) on_site: bool,
    pub(crate) of_contractor: bool,
    /// Null of who has none.
    pub(crate) contractor: Value,
}

pub(crate) struct World {
    pub(crate) installation: Installation,
    pub(crate) database_url: String,
    pub(crate) document: Value,
    pub(crate) routes: Vec<Route>,
    pub(crate) actors: Vec<Actor>,
    /// A worker on the ticket, and one on none.
    pub(crate) phone: String,
    pub(crate) stranger: String,
    pub(crate) objects: Objects,
    client: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) code: u64,
    pub(crate) body: Value,
    /// What it was asked in.
    pub(crate) trace: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        let split = [
            "gateway,sandbox",
            "directory,ticket,training,notification,access-grant,device,audit,report",
        ];
        let backing = Backing::shared().await;
        let database_url = backing.database_url.clone();
        let installation = Installation::start(&backing, &split, None).await;
        let urls = installation.urls.clone();
        let demo = fleet::seed(&urls, &Installation::video()).await.unwrap();
        fleet::play(&urls, &demo, &Timeline::new(false)).await.unwrap();
        let admin = Admin::sign_in(&urls.gateway, "admin", fleet::PASSWORD).await.unwrap();
        let ids = Seeded::build(&admin, &demo.site_id, &demo.contractor_id).await;
        let document = admin_free(&urls, "/openapi.json").await;
        let (phone, stranger) = phones(&urls).await;
        let actors = actors(&urls, &demo.site_id).await;
        let mut objects = BTreeMap::from([
            ("site_id", json!(demo.site_id)),
            ("contractor_id", json!(demo.contractor_id)),
            ("area_id", json!(demo.area_a.0)),
            ("video_id", json!(demo.video_id)),
            ("device_id", json!("door-acg_01")),
            ("reason", json!("检查")),
            ("role", json!("SysAdmin")),
        ]);
        objects.extend(ids.0);
        let routes = Route::all(&document);
        let client =
            reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let objects = Objects(objects);
        Self {
            installation,
            database_url,
            document,
            routes,
            actors,
            phone,
            stranger,
            objects,
            client,
        }
    }

    pub(crate) fn actor(&self, name: &str) -> &Actor {
        self.actors.iter().find(|actor| actor.name == name).unwrap()
    }

    /// The first of these objects that one of the texts names.
    pub(crate) fn holds<'a>(&self, objects: &[&'a str], texts: &[&str]) -> Option<&'a str> {
        let named = |what: &&str| {
            let id = self.objects.get(what).unwrap();
            texts.iter().any(|text| text.contains(&id))
        };
        objects.iter().copied().find(|what| named(what))
    }

    pub(crate) async fn ask(
        &self,
        route: &Route,
        token: Option<&str>,
        key: Option<&str>,
        body: Body,
    ) -> Answered {
        let address = route.address(&self.document, &self.objects);
        let url = format!("{}{address}", self.installation.urls.gateway);
        let trace = uuid::Uuid::new_v4().simple().to_string();
        let mut request = self.client.request(route.method.clone(), url);
        request = request.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        request = match body {
            Body::None => request,
            Body::Json(value) => request.json(&value),
            Body::Form(form, _) => request.multipart(form),
        };
        let response = request.send().await.unwrap();
        // A file is an answer too.
        let status = u64::from(response.status().as_u16());
        let status = if status == 200 { 0 } else { status * 100 };
        let body: Value =
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        Answered { code: body["code"].as_u64().unwrap_or(status), body, trace }
    }

    /// The request as the document describes it.
    pub(crate) async fn sample(&self, route: &Route, token: Option<&str>) -> Answered {
        self.ask(route, token, None, route.body(&self.document, &self.objects)).await
    }
}

async fn admin_free(urls: &Urls, path: &str) -> Value {
    Api::new(&urls.gateway).unwrap().get(path).await.unwrap().data
}

/// Ids of what the day left behind, and of what there is on no day.
struct Seeded(BTreeMap<&'static str, Value>);

impl Seeded {
    async fn build(admin: &Admin, site: &str, contractor: &str) -> Self {
        let first = async |path: &str, id: &str| {
            let rows = admin.all(&format!("{path}?site_id={site}")).await.unwrap();
            rows.first().unwrap_or_else(|| panic!("{path} is empty"))[id].clone()
        };
        let ticket_id = first("/api/admin/work-tickets", "ticket_id").await;
        let path = format!("/api/admin/work-tickets/{}", ticket_id.as_str().unwrap());
        let ticket = admin.get(&path).await.unwrap();
        let daily_ticket_id = ticket["daily_tickets"][0]["daily_ticket_id"].clone();
        let day = format!("/api/admin/daily-tickets/{}", daily_ticket_id.as_str().unwrap());
        let day = admin.get(&day).await.unwrap();
        let worker_id = day["workers"][0]["worker_id"].clone();
        let notification_id = eventually("a notice", async || {
            let path = format!("/api/admin/notifications?site_id={site}");
            admin.all(&path).await.ok()?.first().map(|row| row["notification_id"].clone())
        })
        .await;
        let grant_id = first("/api/admin/access-grants", "grant_id").await;
        let reading_id = first("/api/admin/workers/sync", "reading_id").await;
        let registration = format!("/api/admin/sites/{site}/registration-code");
        let registration = admin.get(&registration).await.unwrap();
        let site = json!([site]);
        let account = json!({ "username": "target", "password": fleet::PASSWORD, "role": "Auditor", "site_ids": site });
        let account_id =
            admin.post("/api/admin/accounts", &account).await.unwrap()["account_id"].clone();

        // The other site, with a contractor of its own; nobody of the roster is there.
        let other = admin.post("/api/admin/sites", &json!({ "name": "邻近工地" })).await.unwrap();
        let sites = json!([other["site_id"]]);
        let firm = json!({ "name": "邻近建工", "site_ids": sites });
        let firm = admin.post("/api/admin/contractors", &firm).await.unwrap();
        let contractors = admin
            .all(&format!("/api/admin/contractors?site_id={}", site[0].as_str().unwrap()))
            .await
            .unwrap();
        let second = contractors.iter().find(|row| row["contractor_id"] != contractor).unwrap();
        for (username, role, sites, contractor) in [
            ("neighbour", "ContractorAdmin", &sites, &firm["contractor_id"]),
            ("second", "ContractorAdmin", &site, &second["contractor_id"]),
            ("inspector", "Auditor", &site, &Value::Null),
            ("far", "Auditor", &sites, &Value::Null),
        ] {
            let account = json!({
                "username": username, "password": fleet::PASSWORD, "role": role,
                "site_ids": sites, "contractor_id": contractor,
            });
            admin.post("/api/admin/accounts", &account).await.unwrap();
        }
        Self(BTreeMap::from([
            ("ticket_id", ticket_id),
            ("daily_ticket_id", daily_ticket_id),
            ("worker_id", worker_id),
            ("notification_id", notification_id),
            ("grant_id", grant_id),
            ("reading_id", reading_id),
            ("code", registration["code"].clone()),
            ("account_id", account_id),
            ("session_id", json!(uuid::Uuid::new_v4())),
            ("check_id", json!(uuid::Uuid::new_v4())),
        ]))
    }
}

async fn actors(urls: &Urls, site: &str) -> Vec<Actor> {
    let mut actors = Vec::new();
    for (name, on_site, of_contractor) in [
        ("admin", true, true),
        ("contractor", true, true),
        ("second", true, false),
        ("neighbour", false, false),
        ("inspector", true, true),
        ("far", false, false),
    ] {
        let login = json!({ "username": name, "password": fleet::PASSWORD });
        let signed_in = Api::new(&urls.gateway)
            .unwrap()
            .post("/api/admin/auth/login", &login)
            .await
            .unwrap()
            .ok()
            .unwrap();
        let role: Role = signed_in["account"]["role"].as_str().unwrap().parse().unwrap();
        let sites = signed_in["account"]["site_ids"].as_array().unwrap();
        assert_eq!(sites.contains(&json!(site)), on_site, "{name}");
        let token = signed_in["access_token"].as_str().unwrap().to_owned();
        let contractor = signed_in["account"]["contractor_id"].clone();
        actors.push(Actor { name, role, token, on_site, of_contractor, contractor });
    }
    actors
}

/// Somebody on the ticket, and somebody who is on none.
async fn phones(urls: &Urls) -> (String, String) {
    let roster = Sandbox::new(&urls.sandbox).unwrap().roster().await.unwrap();
    let mut tokens = Vec::new();
    for index in [0, 8] {
        let code = format!("demo-worker-{index:02}");
        let mut worker = Worker::enter(&urls.gateway, &roster[index], &code).await.unwrap();
        if !worker.bound {
            worker.bind(&urls.gateway).await.unwrap();
        }
        let entered = Api::new(&urls.gateway)
            .unwrap()
            .post("/api/mp/login", &json!({ "mp_code": code }))
            .await
            .unwrap();
        tokens.push(entered.data["mp_session_token"].as_str().unwrap().to_owned());
    }
    let stranger = tokens.pop().unwrap();
    (tokens.pop().unwrap(), stranger)
}

fn now() -> DateTime<Utc> {
    SystemClock::system().now()
}

/// The claims of a token, as the installation that gave it signs them.
fn claims(token: &str, audience: Audience) -> Claims {
    keys(b"TOKEN-").verify(token, audience, now()).unwrap()
}

fn keys(word: &[u8]) -> AccessTokens {
    AccessTokens::from_root(&word.repeat(16)).unwrap()
}

/// The same word under another key, without one, and from yesterday; and one of the other edge.
pub(crate) fn bad_tokens(
    token: &str,
    admin: bool,
    other: &str,
) -> Vec<(&'static str, String, u64)> {
    let (audience, elsewhere) = if admin {
        (Audience::Admin, Audience::MiniProgram)
    } else {
        (Audience::MiniProgram, Audience::Admin)
    };
    let theirs = claims(token, audience);
    let body = token.split('.').nth(1).unwrap();
    let unsigned =
        |header: Value| format!("{}.{body}.", URL_SAFE_NO_PAD.encode(header.to_string()));
    let crossed = Claims { audience: elsewhere, ..theirs.clone() };
    let worker = Claims { subject: Subject::Anonymous, role: theirs.role, ..theirs.clone() };
    vec![
        ("forged", keys(b"OTHER-").issue(&theirs, now()), 40101),
        ("unsigned", unsigned(json!({"alg": "none", "typ": "access+jwt"})), 40101),
        ("expired", keys(b"TOKEN-").issue(&theirs, now() - Duration::hours(13)), 40102),
        ("of tomorrow", keys(b"TOKEN-").issue(&theirs, now() + Duration::hours(13)), 40101),
        ("of the other edge", other.to_owned(), 40101),
        ("for another audience", keys(b"TOKEN-").issue(&crossed, now()), 40101),
        (
            "of nobody with a role",
            keys(b"TOKEN-").issue(&worker, now()),
            if admin { 40101 } else { 0 },
        ),
        ("that is none", "x.y.z".to_owned(), 40101),
    ]
}

pub(crate) fn is_reading(route: &Route) -> bool {
    route.method == Method::GET
}
