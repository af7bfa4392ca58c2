//! Tencent Cloud SMS `SendSms` 2021-01-11: an HTTP 200 may hold failed numbers, a repeated call
//! sends again, and one number takes only so many texts. Limits are counted in system time.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::envelope::Refused;
use crate::sandbox::Sandbox;
use crate::tc3;

/// The approved signature; any other is refused.
pub const SIGN_NAME: &str = "作业票通";

/// The approved templates: id, and its text with `{1}`, `{2}` … for the parameters.
pub const SMS_TEMPLATES: [(&str, &str); 2] = [
    ("1000001", "验证码{1}，{2}分钟内有效，请勿告知他人。"),
    ("1000002", "{1}，{2}，请于{3}前完成班前教育。"),
];

const LIMITS: [(TimeDelta, usize, &str); 3] = [
    (TimeDelta::seconds(30), 1, "LimitExceeded.PhoneNumberThirtySecondLimit"),
    (TimeDelta::hours(1), 5, "LimitExceeded.PhoneNumberOneHourLimit"),
    (TimeDelta::days(1), 10, "LimitExceeded.PhoneNumberDailyLimit"),
];

/// The texts that phones received.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    received: Vec<Text>,
    sent_at: HashMap<String, Vec<DateTime<Utc>>>,
}

#[derive(Debug, Clone, Serialize)]
struct Text {
    serial_no: String,
    phone: String,
    template: String,
    params: Vec<String>,
    content: String,
    session_context: String,
    /// Site time.
    at: DateTime<Utc>,
}

pub(crate) fn router() -> Router<Sandbox> {
    Router::new().route("/sms", post(call)).route("/sms/", post(call))
}

pub(crate) fn control() -> Router<Sandbox> {
    Router::new().route("/sms", get(received))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendSms {
    #[serde(default)]
    phone_number_set: Vec<String>,
    #[serde(default)]
    sms_sdk_app_id: String,
    #[serde(default)]
    template_id: String,
    #[serde(default)]
    sign_name: String,
    #[serde(default)]
    template_param_set: Vec<String>,
    #[serde(default)]
    session_context: String,
}

struct Failed(&'static str, String);

async fn call(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    let request_id = uuid::Uuid::new_v4().to_string();
    Json(match send(&sandbox, &headers, &body) {
        Ok(statuses) => json!({"Response": {"SendStatusSet": statuses, "RequestId": request_id}}),
        Err(Failed(code, message)) => {
            json!({"Response": {"Error": {"Code": code, "Message": message}, "RequestId": request_id}})
        }
    })
}

/// The answer of a call that failed inside the firm.
pub(crate) fn internal_error() -> Json<Value> {
    let error = json!({"Code": "InternalError.OtherError", "Message": "other error"});
    Json(json!({"Response": {"Error": error, "RequestId": uuid::Uuid::new_v4().to_string()}}))
}

fn send(sandbox: &Sandbox, headers: &HeaderMap, body: &Bytes) -> Result<Vec<Value>, Failed> {
    let config = &sandbox.config().sms;
    let now = sandbox.system_now();
    tc3::verify(headers, body, "sms", &config.secret_id, &config.secret_key, now)
        .map_err(|err| Failed(err.code(), err.to_string()))?;
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("x-tc-action") != "SendSms" {
        return Err(Failed("InvalidAction", "the action is not known".to_owned()));
    }
    if header("x-tc-version") != "2021-01-11" {
        return Err(Failed("NoSuchVersion", "the version is not known".to_owned()));
    }
    if header("x-tc-region").is_empty() {
        return Err(Failed("MissingParameter", "Region".to_owned()));
    }
    let wanted: SendSms =
        serde_json::from_slice(body).map_err(|err| Failed("InvalidParameter", err.to_string()))?;
    if wanted.phone_number_set.is_empty() {
        return Err(Failed("MissingParameter", "PhoneNumberSet".to_owned()));
    }
    if wanted.phone_number_set.len() > 200 {
        return Err(Failed(
            "LimitExceeded.PhoneNumberCountLimit",
            "more than 200 numbers".to_owned(),
        ));
    }
    let refused = wanted.refused(&config.app_id);
    let mut texts = sandbox.sms();
    let statuses = wanted.phone_number_set.iter().map(|presented| {
        let taken = match (refused, mainland(presented)) {
            (Some(code), _) => Err(code),
            (None, None) => Err("InvalidParameterValue.IncorrectPhoneNumber"),
            (None, Some(phone)) => texts.take(phone, &wanted, now, sandbox.site().now()),
        };
        let (code, message, serial_no) = match taken {
            Ok(serial_no) => ("Ok", "send success", serial_no),
            Err(code) => (code, "send failed", String::new()),
        };
        json!({
            "SerialNo": serial_no,
            "PhoneNumber": mainland(presented).unwrap_or_else(|| presented.clone()),
            "Fee": u8::from(code == "Ok"),
            "SessionContext": wanted.session_context,
            "Code": code,
            "Message": message,
            "IsoCode": "CN",
        })
    });
    Ok(statuses.collect())
}

impl SendSms {
    /// Why no number of this call gets its text.
    fn refused(&self, app_id: &str) -> Option<&'static str> {
        if self.sms_sdk_app_id != app_id {
            return Some("InvalidParameterValue.SdkAppIdNotExist");
        }
        if self.sign_name != SIGN_NAME {
            return Some("FailedOperation.SignatureIncorrectOrUnapproved");
        }
        let Some((_, text)) = SMS_TEMPLATES.iter().find(|(id, _)| *id == self.template_id) else {
            return Some("FailedOperation.TemplateIncorrectOrUnapproved");
        };
        (text.matches('{').count() != self.template_param_set.len())
            .then_some("FailedOperation.TemplateParamSetNotMatchApprovedTemplate")
    }

    fn content(&self) -> String {
        let found = SMS_TEMPLATES.iter().find(|(id, _)| *id == self.template_id);
        let mut text = found.map_or_else(String::new, |(_, text)| format!("【{SIGN_NAME}】{text}"));
        for (index, param) in self.template_param_set.iter().enumerate() {
            text = text.replace(&format!("{{{}}}", index + 1), param);
        }
        text
    }
}

impl Texts {
    fn take(
        &mut self,
        phone: String,
        wanted: &SendSms,
        now: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<String, &'static str> {
        let sent_at = self.sent_at.entry(phone.clone()).or_default();
        for (window, most, code) in LIMITS {
            if sent_at.iter().filter(|at| now - **at < window).count() >= most {
                return Err(code);
            }
        }
        sent_at.push(now);
        let serial_no = format!("5000:{}{:06}", now.timestamp(), self.received.len());
        self.received.push(Text {
            serial_no: serial_no.clone(),
            phone,
            template: wanted.template_id.clone(),
            params: wanted.template_param_set.clone(),
            content: wanted.content(),
            session_context: wanted.session_context.clone(),
            at,
        });
        Ok(serial_no)
    }
}

/// A mainland mobile number in E.164, from any of the spellings that Tencent takes.
fn mainland(presented: &str) -> Option<String> {
    let digits = ["+86", "0086"]
        .iter()
        .find_map(|prefix| presented.strip_prefix(prefix))
        .unwrap_or(presented);
    let digits =
        if digits.len() == 13 { digits.strip_prefix("86").unwrap_or(digits) } else { digits };
    let mobile = digits.len() == 11
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && digits.starts_with('1')
        && digits.as_bytes()[1] >= b'3';
    mobile.then(|| format!("+86{digits}"))
}

#[derive(Deserialize)]
struct Whose {
    phone: Option<String>,
}

async fn received(
    State(sandbox): State<Sandbox>,
    Query(whose): Query<Whose>,
) -> Result<Json<Value>, Refused> {
    // A plus sign that was not escaped arrives as a space.
    let phone = whose
        .phone
        .map(|phone| {
            mainland(phone.replace(' ', "+").as_str())
                .ok_or_else(|| Refused::mistake("phone: not a mobile number"))
        })
        .transpose()?;
    let texts = sandbox.sms();
    let items: Vec<_> = texts
        .received
        .iter()
        .filter(|text| phone.as_ref().is_none_or(|wanted| *wanted == text.phone))
        .collect();
    Ok(Json(json!({"items": items})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_number_is_one_number() {
        for spelling in ["+8619900000001", "8619900000001", "008619900000001", "19900000001"] {
            assert_eq!(mainland(spelling).as_deref(), Some("+8619900000001"), "{spelling}");
        }
        for bad in ["12900000001", "1990000000", "+119900000001", "一九九"] {
            assert_eq!(mainland(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_number_takes_one_text_in_30_seconds_5_an_hour_10_a_day() {
        let mut texts = Texts::default();
        let wanted: SendSms = serde_json::from_value(
            json!({"TemplateId": "1000001", "TemplateParamSet": ["123456", "5"]}),
        )
        .unwrap();
        let start: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
        let mut send = |seconds| {
            let now = start + TimeDelta::seconds(seconds);
            texts.take("+8619900000001".to_owned(), &wanted, now, now).err()
        };
        assert_eq!(send(0), None);
        assert_eq!(send(29), Some("LimitExceeded.PhoneNumberThirtySecondLimit"));
        for round in 1..5 {
            assert_eq!(send(round * 30), None);
        }
        assert_eq!(send(150), Some("LimitExceeded.PhoneNumberOneHourLimit"));
        for round in 0..5 {
            assert_eq!(send(3600 * 2 + round * 30), None);
        }
        assert_eq!(send(3600 * 4), Some("LimitExceeded.PhoneNumberDailyLimit"));
        assert_eq!(send(3600 * 25), None);
        assert_eq!(
            texts.received[0].content,
            "【作业票通】验证码123456，5分钟内有效，请勿告知他人。"
        );
    }
}
