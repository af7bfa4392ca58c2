use ::auth::{AccessTokens, Audience, CallerKeys, Claims, Subject};
use chrono::{DateTime, Duration, TimeZone, Utc};
use gateway::Config;
use proto::directory::v1::{
    CheckBindingRequest, CheckBindingResponse, CheckSignInRequest, CheckSignInResponse,
};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use service::config::Secret;
use service::grpc::Peers;
use service::health::Health;
use service::{Shell, Tasks};
use tokio::net::TcpListener;
use types::{AccountId, Role, SiteClock, SiteId, SystemClock, WorkerId};

use crate::peers::Fakes;

pub(crate) const WEBHOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub(crate) const NEXT_WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const CHECK_SIGN_IN: &str = "DirectoryService/CheckSignIn";
pub(crate) const CHECK_BINDING: &str = "DirectoryService/CheckBinding";
pub(crate) const BLOB_SECRET: [u8; 32] = [2; 32];

/// A gateway of one test.
pub(crate) struct Edge {
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    pub(crate) fakes: Fakes,
    pub(crate) system: SystemClock,
    pub(crate) site: SiteId,
    pub(crate) account: AccountId,
    pub(crate) worker: WorkerId,
    pub(crate) blobs: tempfile::TempDir,
    tokens: AccessTokens,
}

pub(crate) async fn edge() -> Edge {
    edge_behind("").await
}

/// A gateway that believes these proxies.
pub(crate) async fn edge_behind(proxies: &str) -> Edge {
    let now = Utc.with_ymd_and_hms(2026, 3, 2, 0, 0, 0).unwrap();
    // Never reached; the client only has to exist.
    let nats = async_nats::ConnectOptions::new().retry_on_initial_connect();
    let shell = Shell {
        clock: SiteClock::manual(now),
        system: SystemClock::manual(now),
        tasks: Tasks::new(),
        peers: Peers::in_process(),
        nats: service::Nats::connect(nats, "127.0.0.1:1").await.unwrap(),
        stream_prefix: "test".to_owned(),
        stream_replicas: 1,
        keys: CallerKeys::from_root(&[7; 32]).unwrap(),
        health: Health::default(),
    };
    let blobs = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config {
        listen: listener.local_addr().unwrap(),
        token_secret: Secret::new(&[1; 32]),
        blob_dir: blobs.path().to_owned(),
        blob_secret: Secret::new(&BLOB_SECRET),
        door_webhook_secrets: [WEBHOOK_SECRET, NEXT_WEBHOOK_SECRET]
            .map(|secret| Secret::new(secret.as_bytes()))
            .to_vec(),
        public_url: None,
        trusted_proxies: proxies.parse().unwrap(),
    };
    let fakes = Fakes::provide(&shell.peers, &shell.keys, &shell.system);
    let (account, site) = (AccountId::new(), SiteId::new());
    fakes.on(CHECK_SIGN_IN, move |asked: CheckSignInRequest| {
        Ok(sign_in(account, &asked.family_id, &[site]))
    });
    fakes.on(CHECK_BINDING, move |_: CheckBindingRequest| Ok(bound(&[site])));
    let url = format!("http://{}", config.listen);
    let router = gateway::router(config, shell.clone()).unwrap();
    service::http::listen(&shell.tasks, "gateway", listener, router);
    service::http::Client::new(std::time::Duration::from_secs(1)).unwrap();
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    Edge {
        url,
        client: client.unwrap(),
        fakes,
        system: shell.system,
        site,
        account,
        worker: WorkerId::new(),
        blobs,
        tokens: AccessTokens::from_root(&[1; 32]).unwrap(),
    }
}

/// What `directory` says of a sign-in that holds. A family of these tests may be called after the account's role.
pub(crate) fn sign_in(account: AccountId, family: &str, sites: &[SiteId]) -> CheckSignInResponse {
    let role = family.parse().unwrap_or(Role::SysAdmin);
    CheckSignInResponse {
        account_id: account.to_string(),
        account_version: 1,
        must_change_password: false,
        role: role.as_str().to_owned(),
        site_ids: sites.iter().map(ToString::to_string).collect(),
        contractor_id: String::new(),
    }
}

/// What `directory` says of a worker who is bound.
pub(crate) fn bound(sites: &[SiteId]) -> CheckBindingResponse {
    CheckBindingResponse {
        bound: true,
        ended_because: String::new(),
        site_ids: sites.iter().map(ToString::to_string).collect(),
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Answered {
    pub(crate) async fn read(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null);
        Self { status, headers, body }
    }

    pub(crate) fn code(&self) -> u64 {
        self.body["code"].as_u64().unwrap_or_else(|| panic!("no envelope: {self:?}"))
    }

    pub(crate) fn data(&self) -> &Value {
        assert_eq!((self.status, self.code()), (200, 0), "{self:?}");
        assert_eq!(self.body["message"], "ok");
        &self.body["data"]
    }

    /// Names of the bad fields, sorted.
    pub(crate) fn fields(&self) -> Vec<String> {
        let fields = self.body["data"]["fields"].as_array().cloned().unwrap_or_default();
        let name = |field: &Value| field["field"].as_str().unwrap().to_owned();
        let mut fields: Vec<String> = fields.iter().map(name).collect();
        fields.sort_unstable();
        fields
    }
}

/// Keys of an object, sorted.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

impl Edge {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.system.now()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).header("accept-language", "en")
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answered {
        Answered::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answered {
        self.send(self.request(Method::GET, path).bearer_auth(token)).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Answered {
        self.send(self.request(Method::POST, path).bearer_auth(token).json(body)).await
    }

    fn issue(
        &self,
        subject: Subject,
        role: Option<Role>,
        version: u64,
        audience: Audience,
    ) -> String {
        let claims = Claims {
            subject,
            role,
            contractor: None,
            session: Some(role.map_or("session-1", Role::as_str).to_owned()),
            version: Some(version),
            audience,
        };
        self.tokens.issue(&claims, self.now())
    }

    pub(crate) fn admin(&self, role: Role) -> String {
        self.admin_at(role, 1)
    }

    /// A token that describes this version of the account.
    pub(crate) fn admin_at(&self, role: Role, version: u64) -> String {
        self.issue(Subject::Account(self.account), Some(role), version, Audience::Admin)
    }

    pub(crate) fn sysadmin(&self) -> String {
        self.admin(Role::SysAdmin)
    }

    pub(crate) fn phone(&self) -> String {
        self.issue(Subject::Worker(self.worker), None, 1, Audience::MiniProgram)
    }

    /// A phone whose WeChat user is not bound to a worker.
    pub(crate) fn unbound_phone(&self) -> String {
        self.issue(Subject::Anonymous, None, 1, Audience::MiniProgram)
    }

    /// Lets every token issued so far expire.
    pub(crate) fn a_day_later(&self) {
        self.system.advance(Duration::days(1));
    }
}

pub(crate) fn id() -> String {
    uuid::Uuid::new_v4().to_string()
}
