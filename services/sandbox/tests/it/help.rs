#![expect(clippy::unwrap_used, reason = "a test fails where a call fails")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chrono::{DateTime, Utc};
use sandbox::{Config, DoorConfig, Sandbox, SetClock, SmsConfig, TEMPLATES, WechatConfig};
use serde_json::{Value, json};
use service::Tasks;
use service::http::Client;
use tokio::net::TcpListener;
use types::{SiteClock, SystemClock};

pub(crate) const APPID: &str = "wxtest000000000001";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A sandbox of its own on a free port, with clocks that stand still.
pub(crate) struct TestSandbox {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) site: SiteClock,
    pub(crate) system: SystemClock,
    pub(crate) tasks: Tasks,
}

impl TestSandbox {
    pub(crate) async fn start() -> Self {
        Self::reporting_to("http://127.0.0.1:9").await
    }

    /// A sandbox whose doors report to this gateway.
    pub(crate) async fn reporting_to(gateway: &str) -> Self {
        let now: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
        let (site, system, tasks) =
            (SiteClock::manual(now), SystemClock::manual(now), Tasks::new());
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            wechat: WechatConfig { appid: APPID.to_owned(), secret: "wechat-secret".to_owned() },
            sms: SmsConfig {
                app_id: "1400006666".to_owned(),
                secret_id: "AKIDtest".to_owned(),
                secret_key: "sms-secret".to_owned(),
            },
            door: DoorConfig {
                events_url: format!("{gateway}/api/integration/access-control/events"),
                webhook_secret: WEBHOOK_SECRET.to_owned(),
            },
            seed: 1,
        };
        let clock = site.clone();
        let set_clock: SetClock = Arc::new(move |now, speed| {
            clock.set(now, speed);
            Box::pin(async { Ok(()) })
        });
        let sandbox = Sandbox::new(config, site.clone(), system.clone(), set_clock, tasks.token());
        let client = Client::new(Duration::from_secs(10)).unwrap();
        tasks.spawn(
            "reports",
            sandbox::deliver_reports(sandbox.clone(), client.clone(), tasks.cancelled()),
        );
        let url = listen(&tasks, sandbox::router(sandbox)).await;
        Self { url, client, site, system, tasks }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.client.get(&format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.client
            .post(&format!("{}{path}", self.url))
            .json(&body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Value {
        self.client
            .delete(&format!("{}{path}", self.url))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub(crate) async fn openid(&self, who: &str) -> String {
        let path = format!(
            "/wechat/sns/jscode2session?appid={APPID}&secret=wechat-secret&js_code=demo-{who}&grant_type=authorization_code"
        );
        text(&self.get(&path).await, "openid")
    }

    pub(crate) async fn token(&self) -> String {
        let body =
            json!({"grant_type": "client_credential", "appid": APPID, "secret": "wechat-secret"});
        text(&self.post("/wechat/cgi-bin/stable_token", body).await, "access_token")
    }

    /// A call of WeChat's API with a live token.
    pub(crate) async fn weixin(&self, path: &str, body: Value) -> Value {
        let token = self.token().await;
        self.post(&format!("{path}?access_token={token}"), body).await
    }

    pub(crate) async fn accept(&self, openid: &str, times: u32) {
        let body = json!({"openid": openid, "template": TEMPLATES[0].id, "accepted": times});
        self.post("/_control/wechat/consents", body).await;
    }

    pub(crate) async fn notify(&self, openid: &str) -> Value {
        self.weixin("/wechat/cgi-bin/message/subscribe/send", notice(openid)).await
    }

    pub(crate) async fn push(&self, grant: Value) -> Value {
        self.post("/door/api/integration/access-control/grants", grant).await
    }
}

impl Drop for TestSandbox {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

pub(crate) async fn listen(tasks: &Tasks, router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    service::http::listen(tasks, "test", listener, router);
    url
}

pub(crate) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

pub(crate) fn notice(openid: &str) -> Value {
    json!({
        "touser": openid,
        "template_id": TEMPLATES[0].id,
        "page": "pages/task/index?id=1",
        "data": {
            "thing1": {"value": "1#楼钢筋绑扎"},
            "date2": {"value": "2026年3月2日"},
            "thing3": {"value": "1#楼A区"},
            "time4": {"value": "07:30"},
            "thing5": {"value": "请在截止前完成班前教育"},
        },
    })
}

/// A grant for the roster's n-th person, from 06:00 to 20:00 of the test's day.
pub(crate) fn grant(id: &str, number: usize, access_group_id: &str) -> Value {
    let person = &sandbox::roster()[number - 1];
    json!({
        "grant_id": id,
        "worker": {"id_no": person.id_no, "name": person.name, "face_id": person.face_id},
        "area": {"access_group_id": access_group_id},
        "access_start_at": "2026-03-02T06:00:00+08:00",
        "access_end_at": "2026-03-02T20:00:00+08:00",
    })
}
