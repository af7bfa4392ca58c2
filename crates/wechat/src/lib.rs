#![doc = include_str!("../README.md")]

mod error;
mod face;
mod token;

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use service::config::Secret;
use types::SystemClock;

pub use error::Error;
pub use face::{FaceOutcome, FaceStarted, cert_hash};
use token::Tokens;

/// Which mini-program this is, and where its platform answers.
#[derive(Debug, Clone)]
pub struct Config {
    /// `https://api.weixin.qq.com` in production.
    pub url: String,
    pub appid: String,
    pub secret: Secret,
}

/// What a log-in code stands for. Personal data: it does not print.
#[derive(Clone, Deserialize)]
pub struct Session {
    pub openid: String,
    pub unionid: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// One subscribe message. Every key of the template must have a value that fits its type.
#[derive(Clone)]
pub struct SubscribeMessage {
    pub openid: String,
    pub template_id: String,
    pub page: String,
    pub data: Vec<(String, String)>,
}

impl fmt::Debug for SubscribeMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeMessage")
            .field("template_id", &self.template_id)
            .finish_non_exhaustive()
    }
}

/// Calls the platform. Clones share the access token.
#[derive(Debug, Clone)]
pub struct Client {
    config: Arc<Config>,
    http: service::http::Client,
    tokens: Tokens,
}

impl Client {
    pub fn new(config: Config, http: service::http::Client, system: SystemClock) -> Self {
        let config = Arc::new(config);
        let tokens = Tokens::new(Arc::clone(&config), http.clone(), system);
        Self { config, http, tokens }
    }

    /// Exchanges a log-in code, once: `/sns/jscode2session`. A used, foreign or old code is [`Error::BadCode`].
    pub async fn code_to_session(&self, code: &str) -> Result<Session, Error> {
        let url = format!("{}/sns/jscode2session", self.config.url);
        let secret = self.config.secret.expose_str().unwrap_or_default();
        let query = [
            ("appid", self.config.appid.as_str()),
            ("secret", secret),
            ("js_code", code),
            ("grant_type", "authorization_code"),
        ];
        let response = self
            .http
            .get(&url)
            .query(&query)
            .send()
            .await
            .map_err(|err| Error::not_sent_twice(&err))?;
        read(response).await
    }

    /// Exchanges the code of a `getPhoneNumber` button, once: `/wxa/business/getuserphonenumber`. The number has its
    /// country's code before it, as in `+8613800000000`: without it, one of another country may look like a mainland
    /// one.
    pub async fn phone_number(&self, code: &str) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Answer {
            phone_info: PhoneInfo,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct PhoneInfo {
            pure_phone_number: String,
            country_code: CountryCode,
        }
        /// A text by the platform's document, a number in its sample.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum CountryCode {
            Text(String),
            Number(u32),
        }
        let answer: Answer =
            self.call("/wxa/business/getuserphonenumber", &json!({ "code": code })).await?;
        let PhoneInfo { pure_phone_number: number, country_code } = answer.phone_info;
        Ok(match country_code {
            CountryCode::Text(code) => format!("+{code}{number}"),
            CountryCode::Number(code) => format!("+{code}{number}"),
        })
    }

    /// Sends a subscribe message and answers its `msgid`. There is no idempotency key: each call that WeChat
    /// takes delivers and spends one consent, so [`Error::Unknown`] must not be retried.
    pub async fn subscribe_send(&self, message: &SubscribeMessage) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Answer {
            msgid: u64,
        }
        let data: serde_json::Map<String, Value> = message
            .data
            .iter()
            .map(|(key, value)| (key.clone(), json!({ "value": value })))
            .collect();
        let body = json!({
            "touser": message.openid,
            "template_id": message.template_id,
            "page": message.page,
            "data": data,
        });
        let answer: Answer = self.call("/cgi-bin/message/subscribe/send", &body).await?;
        Ok(answer.msgid)
    }

    /// POSTs with the shared token; a token WeChat no longer takes is replaced and the call made once more.
    async fn call<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Error> {
        let token = self.tokens.current().await?;
        match self.post(path, &token, body).await {
            Err(Error::BadToken) => {
                let token = self.tokens.after(&token).await?;
                self.post(path, &token, body).await
            }
            answer => answer,
        }
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: &str,
        body: &Value,
    ) -> Result<T, Error> {
        let url = format!("{}{path}", self.config.url);
        let request = self.http.post(&url).query(&[("access_token", token)]).json(body);
        read(request.send().await.map_err(|err| Error::not_sent_twice(&err))?).await
    }
}

/// HTTP 200 and `errcode` 0 or absent is success; everything else is judged by its code.
async fn read<T: DeserializeOwned>(response: reqwest::Response) -> Result<T, Error> {
    let status = response.status();
    if status.is_server_error() {
        return Err(Error::Unknown);
    }
    // The answer broke off: the call may well have had its effect.
    let body: Value = response.json().await.map_err(|_| Error::Unknown)?;
    let errcode = body.get("errcode").and_then(Value::as_i64).unwrap_or_default();
    if errcode != 0 {
        return Err(Error::from_errcode(errcode));
    }
    if !status.is_success() {
        return Err(Error::Refused { errcode: i64::from(status.as_u16()) });
    }
    serde_json::from_value(body).map_err(|_| Error::Unknown)
}
