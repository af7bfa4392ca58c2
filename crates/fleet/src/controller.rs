use anyhow::{Context, Result};
use auth::device_signature;
use reqwest::Method;
use serde_json::Value;

use crate::api::{Answer, Api};

/// A door controller that fetches, asks and reports by itself, every request signed.
#[derive(Debug, Clone)]
pub struct Controller {
    api: Api,
    device_id: String,
    secret: String,
}

impl Controller {
    pub fn new(device_url: &str, device_id: &str, secret: &str) -> Result<Self> {
        Ok(Self {
            api: Api::new(device_url)?,
            device_id: device_id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.call(Method::POST, path, serde_json::to_vec(body)?).await
    }

    async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer> {
        let path = format!("/api/device/v1{path}");
        let timestamp = types::SystemClock::system().now().timestamp().to_string();
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let secret = self.secret.as_bytes();
        let signature =
            device_signature::sign(secret, &timestamp, &nonce, method.as_str(), &path, &body);
        let request = self
            .api
            .request(method, &path)
            .header("x-device-id", &self.device_id)
            .header("x-timestamp", timestamp)
            .header("x-nonce", nonce)
            .header("x-signature", signature)
            .header("content-type", "application/json")
            .body(body);
        self.api
            .send(&path, request)
            .await
            .with_context(|| format!("controller {}", self.device_id))
    }
}
