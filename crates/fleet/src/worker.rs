use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::api::{Answer, Api, text};
use crate::sandbox::{Person, Sandbox};

/// The template of publication notices, as the mini-program names it.
pub(crate) const PUBLISHED: &str = "TICKET_PUBLISHED";

/// Somebody with the mini-program on a phone.
#[derive(Debug, Clone)]
pub struct Worker {
    pub person: Person,
    api: Api,
    code: String,
    pub bound: bool,
}

/// A started session.
#[derive(Debug, Clone)]
pub struct Training {
    pub session_id: String,
    pub session_token: String,
    pub duration_sec: u64,
    pub daily_ticket_id: String,
}

impl Worker {
    /// Opens the mini-program; `code` is the phone's WeChat identity.
    pub async fn enter(gateway: &str, person: &Person, code: &str) -> Result<Self> {
        let api = Api::new(gateway)?;
        let data =
            api.post("/api/mp/login", &json!({ "mp_code": code })).await?.ok().context("log in")?;
        let token = text(&data, "mp_session_token");
        let bound = data["bound"].as_bool().unwrap_or(false);
        Ok(Self {
            person: person.clone(),
            api: api.with_token(&token),
            code: code.to_owned(),
            bound,
        })
    }

    /// Binds with the phone number that WeChat gives and the identity number.
    pub async fn bind(&mut self, gateway: &str) -> Result<()> {
        let body = json!({
            "mp_code": self.code,
            "phone_code": format!("phone-{}", self.person.phone),
            "id_no": self.person.id_no,
        });
        self.api.post("/api/mp/bind", &body).await?.ok().context("bind")?;
        *self = Self::enter(gateway, &self.person, &self.code).await?;
        if !self.bound {
            bail!("bound, and logged in unbound");
        }
        Ok(())
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Taps "allow" once in the subscribe dialog: the platform counts it, and so does Sitepass.
    pub async fn consent(&self, sandbox: &Sandbox) -> Result<()> {
        sandbox.consent(&sandbox.openid(&self.code).await?, PUBLISHED, 1).await?;
        let body = json!({ "template": PUBLISHED, "accepted": 1 });
        self.api.post("/api/mp/subscriptions", &body).await?.ok().context("subscribe")?;
        Ok(())
    }

    /// Today's tasks.
    pub async fn tasks(&self) -> Result<Vec<Value>> {
        let data = self.api.get("/api/mp/tasks/today").await?.ok().context("today's tasks")?;
        Ok(data["tasks"].as_array().cloned().unwrap_or_default())
    }

    /// Opens one task, which counts as having read the notice.
    pub async fn read(&self, daily_ticket_id: &str) -> Result<()> {
        self.api
            .post(&format!("/api/mp/tasks/{daily_ticket_id}/read"), &json!({}))
            .await?
            .ok()
            .context("read")?;
        Ok(())
    }

    /// Looks into the camera and gets a token for it, good or not.
    pub async fn face(&self, sandbox: &Sandbox, purpose: Value, outcome: &str) -> Result<String> {
        let data = self
            .api
            .post("/api/mp/face-verifications", &purpose)
            .await?
            .ok()
            .context("face verification")?;
        let verify_id = data["params"]["verify_id"].as_str().context("no verify_id")?;
        sandbox.face(verify_id, outcome).await?;
        Ok(text(&data, "face_verify_token"))
    }

    /// Shows the face and starts the video.
    pub async fn start(&self, sandbox: &Sandbox, task: &Value) -> Result<Training> {
        let daily_ticket_id = text(task, "daily_ticket_id");
        let purpose = json!({ "purpose": "start", "daily_ticket_id": daily_ticket_id });
        let token = self.face(sandbox, purpose, "pass").await?;
        let body = json!({
            "daily_ticket_id": daily_ticket_id,
            "video_id": task["videos"][0]["video_id"],
            "face_verify_token": token,
            "device": { "model": "demo", "system": "fleet", "network": "4g" },
        });
        let data = self
            .api
            .post("/api/mp/training-sessions", &body)
            .await?
            .ok()
            .context("start the session")?;
        Ok(Training {
            session_id: text(&data, "session_id"),
            session_token: text(&data, "session_token"),
            duration_sec: data["duration_sec"].as_u64().context("no duration")?,
            daily_ticket_id,
        })
    }

    /// One progress report.
    pub async fn report(&self, training: &Training, second: u64, event: &str) -> Result<Answer> {
        let body = json!({
            "session_token": training.session_token,
            "current_sec": second,
            "duration_sec": training.duration_sec,
            "event": event,
        });
        self.api
            .post(&format!("/api/mp/training-sessions/{}/progress", training.session_id), &body)
            .await
    }

    /// Answers an open check with a face.
    pub async fn answer(
        &self,
        sandbox: &Sandbox,
        training: &Training,
        check_id: &str,
        outcome: &str,
    ) -> Result<Answer> {
        let purpose = json!({ "purpose": "check", "daily_ticket_id": training.daily_ticket_id, "check_id": check_id });
        let token = self.face(sandbox, purpose, outcome).await?;
        let body = json!({ "session_token": training.session_token, "face_verify_token": token });
        let path = format!("/api/mp/training-sessions/{}/checks/{check_id}", training.session_id);
        self.api.post(&path, &body).await
    }

    pub async fn finish(&self, training: &Training) -> Result<Answer> {
        let path = format!("/api/mp/training-sessions/{}/finish", training.session_id);
        self.api.post(&path, &json!({ "session_token": training.session_token })).await
    }

    /// May I pass, and if not, what do I do.
    pub async fn pass(&self) -> Result<Value> {
        self.api.get("/api/mp/pass").await?.ok().context("the pass")
    }
}
