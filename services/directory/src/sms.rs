//! Texts by Tencent Cloud's `SendSms` (2021-01-11). There is no idempotency key: a call is made once, and one without
//! an answer may have had its effect.

mod tc3;

use std::fmt;

use chrono::TimeDelta;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use service::config::Secret;
use types::SystemClock;
use vault::Phone;

use crate::domain::SmsCode;

/// The account at the firm, and where it answers.
#[derive(Debug, Clone)]
pub struct Config {
    /// `https://sms.tencentcloudapi.com/` in production.
    pub url: Url,
    pub app_id: String,
    pub secret_id: String,
    pub secret_key: Secret,
    pub region: String,
    pub sign_name: String,
    /// Of the approved text with the code and its minutes as parameters.
    pub code_template: String,
}

/// Why a text did not go out. Holds neither phone nor code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The number had its share; the firm takes it again after this.
    #[error("too many texts to this number")]
    Limited(TimeDelta),
    #[error("the firm does not send to this number")]
    BadNumber,
    /// It was not sent.
    #[error("not sent")]
    NotSent,
    /// It may have been sent.
    #[error("sent without a clear answer")]
    Unknown,
}

#[derive(Clone)]
pub(crate) struct Sender {
    config: Config,
    http: service::http::Client,
    system: SystemClock,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Response")]
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    error: Option<Coded>,
    #[serde(default)]
    send_status_set: Vec<Coded>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Coded {
    code: String,
}

impl Sender {
    pub(crate) fn new(config: Config, http: service::http::Client, system: SystemClock) -> Self {
        Self { config, http, system }
    }

    /// Texts the code to the phone, once.
    pub(crate) async fn send_code(&self, phone: &Phone, code: &SmsCode) -> Result<(), Error> {
        let config = &self.config;
        let body = json!({
            "PhoneNumberSet": [phone.as_str()],
            "SmsSdkAppId": config.app_id,
            "SignName": config.sign_name,
            "TemplateId": config.code_template,
            "TemplateParamSet": [code.as_str(), SmsCode::MINUTES.to_string()],
        })
        .to_string();
        let at = self.system.now();
        let host = host(&config.url);
        let call = tc3::Call { host: &host, action: "SendSms", at, body: body.as_bytes() };
        let secret = config.secret_key.expose();
        let request = self
            .http
            .post(config.url.as_str())
            .header("authorization", tc3::authorization(&config.secret_id, secret, &call))
            .header("content-type", tc3::CONTENT_TYPE)
            .header("x-tc-action", call.action)
            .header("x-tc-version", "2021-01-11")
            .header("x-tc-timestamp", at.timestamp())
            .header("x-tc-region", &config.region)
            .body(body);
        let response = request.send().await.map_err(|err| not_sent_or_unknown(&err))?;
        if response.status().is_server_error() {
            return Err(Error::Unknown);
        }
        let answer: Answer = response.json().await.map_err(|_| Error::Unknown)?;
        let codes = answer.response.error.into_iter().chain(answer.response.send_status_set);
        match codes.into_iter().next().map(|coded| coded.code).as_deref() {
            Some("Ok") => Ok(()),
            Some(code) => Err(refused(code)),
            None => Err(Error::Unknown),
        }
    }
}

/// As the client will write it into the request, where it is signed.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn not_sent_or_unknown(err: &reqwest::Error) -> Error {
    if err.is_connect() || err.is_builder() { Error::NotSent } else { Error::Unknown }
}

fn refused(code: &str) -> Error {
    tracing::warn!(sms.code = code, "the SMS firm refused a text");
    match code {
        "LimitExceeded.PhoneNumberThirtySecondLimit" => Error::Limited(TimeDelta::seconds(30)),
        "LimitExceeded.PhoneNumberOneHourLimit" => Error::Limited(TimeDelta::hours(1)),
        "LimitExceeded.PhoneNumberDailyLimit"
        | "LimitExceeded.PhoneNumberSameContentDailyLimit" => Error::Limited(TimeDelta::days(1)),
        "InvalidParameterValue.IncorrectPhoneNumber" | "FailedOperation.PhoneNumberInBlacklist" => {
            Error::BadNumber
        }
        code if code.starts_with("InternalError") => Error::Unknown,
        _ => Error::NotSent,
    }
}
