use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset};
use serde_json::{Value, json};

use crate::api::{Api, items, text};

/// The stand-ins for outside firms, and their controls.
#[derive(Debug, Clone)]
pub struct Sandbox {
    api: Api,
}

/// One person of the invented roster, as they know themself.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub id_no: String,
    pub phone: String,
    pub face_id: String,
}

impl Sandbox {
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self { api: Api::new(url)? })
    }

    /// Everybody on the roster.
    pub async fn roster(&self) -> Result<Vec<Person>> {
        let data = self
            .api
            .get("/realname/integration/realname/workers?page=1&page_size=200")
            .await?
            .ok()?;
        let person = |row: &Value| Person {
            name: text(row, "name"),
            id_no: text(row, "id_no"),
            phone: text(row, "phone"),
            face_id: text(row, "face_id"),
        };
        Ok(items(&data).iter().map(person).collect())
    }

    /// Site time, as every process has it.
    pub async fn now(&self) -> Result<DateTime<FixedOffset>> {
        let data = self.api.get("/_control/clock").await?.ok()?;
        text(&data, "now").parse().context("the sandbox's clock")
    }

    /// Sets site time everywhere; comes back when every process has taken it.
    pub async fn set_clock(&self, now: DateTime<FixedOffset>, speed: f64) -> Result<()> {
        let body = json!({ "now": now.to_rfc3339(), "speed": speed });
        self.api.post("/_control/clock", &body).await?.ok().context("set the clock")?;
        Ok(())
    }

    /// The worker at the phone looks into the camera: `pass`, `fail`, `cancel`.
    pub async fn face(&self, verify_id: &str, outcome: &str) -> Result<()> {
        let body = json!({ "verify_id": verify_id, "outcome": outcome });
        self.api.post("/_control/face/verify", &body).await?.ok().context("verify a face")?;
        Ok(())
    }

    /// Taps of the subscribe dialog that the platform counts.
    pub async fn consent(&self, openid: &str, template: &str, accepted: u32) -> Result<()> {
        let body = json!({ "openid": openid, "template": template, "accepted": accepted });
        self.api.post("/_control/wechat/consents", &body).await?.ok().context("consent")?;
        Ok(())
    }

    /// The openid behind a demo log-in code, asked of the platform as any server would.
    pub async fn openid(&self, code: &str) -> Result<String> {
        let query = "appid=wxsandbox000000001&secret=sandbox-wechat-secret-0000000000&grant_type=authorization_code";
        let path = format!("/wechat/sns/jscode2session?{query}&js_code={code}");
        Ok(text(&self.api.get(&path).await?.ok()?, "openid"))
    }

    /// Messages that reached phones.
    pub async fn messages(&self) -> Result<Vec<Value>> {
        Ok(items(&self.api.get("/_control/wechat/messages").await?.ok()?))
    }

    /// What a door holds.
    pub async fn permissions(&self, access_group: &str) -> Result<Vec<Value>> {
        let path = format!("/_control/doors/{access_group}/permissions");
        Ok(items(&self.api.get(&path).await?.ok()?))
    }

    /// Somebody stands at a door. The door acts on what it holds and reports it.
    pub async fn swipe(&self, access_group: &str, face_id: &str, direction: &str) -> Result<Value> {
        let body = json!({ "face_id": face_id, "direction": direction });
        self.api
            .post(&format!("/_control/doors/{access_group}/swipe"), &body)
            .await?
            .ok()
            .context("swipe")
    }

    /// `ok`, `broken`, `refuse_all` or `offline`.
    pub async fn door(&self, access_group: &str, state: &str) -> Result<()> {
        let body = json!({ "state": state });
        self.api
            .post(&format!("/_control/doors/{access_group}"), &body)
            .await?
            .ok()
            .context("set a door")?;
        Ok(())
    }

    pub async fn fault(&self, target: &str, mode: &str, seconds: u32) -> Result<()> {
        let body = json!({ "target": target, "mode": mode, "seconds": seconds });
        self.api.post("/_control/faults", &body).await?.ok().context("order a fault")?;
        Ok(())
    }

    pub async fn heal(&self) -> Result<()> {
        self.api.delete("/_control/faults").await?.ok().context("end the faults")?;
        Ok(())
    }
}
