use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

/// A JSON API with Sitepass's envelope, and whose token goes along.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    token: Option<String>,
}

/// What an API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub http_status: u16,
    pub code: i64,
    pub message: String,
    pub data: Value,
}

impl Answer {
    /// The data of a success; an error that shows the refusal otherwise.
    pub fn ok(self) -> Result<Value> {
        if self.code == 0 {
            Ok(self.data)
        } else {
            bail!("{} {}: {}", self.code, self.message, self.data)
        }
    }
}

impl Api {
    pub fn new(base: &str) -> Result<Self> {
        Self::within(base, Duration::from_secs(30))
    }

    /// Waits no longer than `timeout` for an answer.
    pub fn within(base: &str, timeout: Duration) -> Result<Self> {
        // Fails only when a provider is installed already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = Client::builder().timeout(timeout).no_proxy().build()?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned(), token: None })
    }

    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(path, self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(path, self.request(Method::POST, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(path, self.request(Method::DELETE, path)).await
    }

    /// Posts under an idempotency key: the same key twice has one effect and one answer.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> Result<Answer> {
        self.send(path, self.request(Method::POST, path).header("idempotency-key", key).json(body))
            .await
    }

    /// Starts a request for what the others do not cover; finish it with [`Api::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, path: &str, request: RequestBuilder) -> Result<Answer> {
        let response = request.send().await.with_context(|| format!("call {path}"))?;
        let http_status = response.status().as_u16();
        let body: Value = response
            .json()
            .await
            .with_context(|| format!("{path} answered {http_status} without JSON"))?;
        // The sandbox's controls answer bare JSON.
        let enveloped =
            body.get("code").is_some_and(Value::is_i64) && body.get("message").is_some();
        if !enveloped {
            let code = if http_status < 400 { 0 } else { i64::from(http_status) * 100 };
            return Ok(Answer { http_status, code, message: String::new(), data: body });
        }
        Ok(Answer {
            http_status,
            code: body["code"].as_i64().unwrap_or(-1),
            message: text(&body, "message"),
            data: body["data"].clone(),
        })
    }
}

/// A string member; empty when it is not there.
pub(crate) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The `items` of a list.
pub(crate) fn items(value: &Value) -> Vec<Value> {
    value["items"].as_array().cloned().unwrap_or_default()
}
