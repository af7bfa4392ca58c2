//! Sign-in and phone codes. `demo-<anything>` always gives the same openid and `phone-<digits>` that
//! number. A code with a nonce, `demo-x!7`, works once, as a real one does; without it, again and again.

use axum::Json;
use axum::extract::{Query, State};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Errcode, Presented, Wechat, check_app, parse};
use crate::sandbox::Sandbox;

#[derive(Deserialize)]
pub(super) struct Code2Session {
    appid: Option<String>,
    secret: Option<String>,
    js_code: Option<String>,
    grant_type: Option<String>,
}

pub(super) async fn jscode2session(
    State(sandbox): State<Sandbox>,
    Query(wanted): Query<Code2Session>,
) -> Result<Json<Value>, Errcode> {
    check_app(&sandbox, wanted.appid.as_deref(), wanted.secret.as_deref())?;
    if wanted.grant_type.as_deref() != Some("authorization_code") {
        return Err(Errcode::new(40002, "invalid grant_type"));
    }
    let code = wanted
        .js_code
        .filter(|code| !code.is_empty())
        .ok_or_else(|| Errcode::new(41008, "missing code"))?;
    let who = sandbox.wechat().take(&code, "demo-")?;
    let appid = &sandbox.config().wechat.appid;
    Ok(Json(json!({
        "openid": openid(appid, &who),
        "session_key": STANDARD.encode(&digest(&["session key", appid, &code])[..16]),
        "unionid": format!("oUN{}", short(&["unionid", &who], 25)),
    })))
}

#[derive(Deserialize)]
pub(super) struct PhoneCode {
    #[serde(default)]
    code: String,
    openid: Option<String>,
}

pub(super) async fn phone_number(
    State(sandbox): State<Sandbox>,
    presented: Query<Presented>,
    body: Bytes,
) -> Result<Json<Value>, Errcode> {
    Presented::check(&presented, &sandbox)?;
    let wanted: PhoneCode = parse(&body)?;
    let appid = &sandbox.config().wechat.appid;
    if wanted.openid.is_some_and(|openid| !is_openid(appid, &openid)) {
        return Err(Errcode::new(40003, "invalid openid"));
    }
    let digits = wanted.code.strip_prefix("phone-").and_then(|rest| rest.split('!').next());
    if !digits.is_some_and(is_mobile) {
        return Err(Errcode::new(40029, "invalid code"));
    }
    let number = sandbox.wechat().take(&wanted.code, "phone-")?;
    Ok(Json(json!({
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": number,
            "purePhoneNumber": number,
            "countryCode": "86",
            "watermark": {"timestamp": sandbox.system_now().timestamp(), "appid": appid},
        },
    })))
}

impl Wechat {
    /// What a code stands for; a code with a nonce is used up by it.
    fn take(&mut self, code: &str, prefix: &str) -> Result<String, Errcode> {
        let rest = code.strip_prefix(prefix).unwrap_or_default();
        let (who, nonce) =
            rest.split_once('!').map_or((rest, None), |(who, nonce)| (who, Some(nonce)));
        if who.is_empty() {
            return Err(Errcode::new(40029, "invalid code"));
        }
        if nonce.is_some() && !self.used_codes.insert(code.to_owned()) {
            return Err(Errcode::new(40163, "code been used"));
        }
        Ok(who.to_owned())
    }
}

fn is_mobile(digits: &str) -> bool {
    digits.len() == 11
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && digits.starts_with('1')
        && digits.as_bytes()[1] >= b'3'
}

// The last eight characters are a check of the rest, so that a restarted sandbox still knows its own.
fn openid(appid: &str, who: &str) -> String {
    let body = short(&["openid", appid, who], 17);
    let check = short(&["openid check", appid, &body], 8);
    format!("oSP{body}{check}")
}

/// Whether this openid was given by this app of this sandbox, before a restart too.
pub(crate) fn is_openid(appid: &str, presented: &str) -> bool {
    let parts = presented.strip_prefix("oSP").and_then(|rest| rest.split_at_checked(17));
    parts.is_some_and(|(body, check)| check == short(&["openid check", appid, body], 8))
}

fn digest(parts: &[&str]) -> [u8; 32] {
    Sha256::digest(parts.join("\n")).into()
}

fn short(parts: &[&str], length: usize) -> String {
    let mut text = URL_SAFE_NO_PAD.encode(digest(parts));
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openid_is_known_again_by_its_own_app_only() {
        let given = openid("wx01", "worker01");
        assert_eq!(given.len(), 28);
        assert_eq!(given, openid("wx01", "worker01"));
        assert_ne!(given, openid("wx01", "worker02"));
        assert!(is_openid("wx01", &given));
        assert!(!is_openid("wx02", &given));
        assert!(!is_openid("wx01", "oSP0000000000000000000000000"));
        assert!(!is_openid("wx01", ""));
    }

    #[test]
    fn a_code_with_a_nonce_works_once_and_one_without_again() {
        let mut wechat = Wechat::default();
        assert_eq!(wechat.take("demo-a", "demo-").unwrap(), "a");
        assert_eq!(wechat.take("demo-a", "demo-").unwrap(), "a");
        assert_eq!(wechat.take("demo-a!1", "demo-").unwrap(), "a");
        assert_eq!(wechat.take("demo-a!1", "demo-").unwrap_err().number, 40163);
        assert_eq!(wechat.take("0c1x", "demo-").unwrap_err().number, 40029);
    }
}
