//! TC3-HMAC-SHA256, the signature of Tencent Cloud's API 3.0 (POST, canonical path `/`).

use std::fmt::Write;

use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// A call to be signed; `signed` holds the signed headers, lower-case names in alphabetical order.
#[derive(Debug)]
pub struct Call<'a> {
    pub service: &'a str,
    pub at: DateTime<Utc>,
    pub signed: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

/// Why a call was not believed; `code` is Tencent's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    #[error("the credential or signature is missing from the request")]
    Missing,
    #[error("the authorization header is malformed")]
    Malformed,
    #[error("the secret id does not exist")]
    UnknownSecretId,
    #[error("the signature has expired")]
    Expired,
    #[error("the signature does not match")]
    Mismatch,
}

impl NotBelieved {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::Malformed => "AuthFailure.InvalidAuthorization",
            Self::UnknownSecretId => "AuthFailure.SecretIdNotFound",
            Self::Expired => "AuthFailure.SignatureExpire",
            Self::Mismatch => "AuthFailure.SignatureFailure",
        }
    }
}

/// The hex signature of a call.
pub fn signature(secret_key: &str, call: &Call<'_>) -> String {
    hex::encode(
        mac(&signing_key(secret_key, call), string_to_sign(call).as_bytes())
            .finalize()
            .into_bytes(),
    )
}

/// The whole `Authorization` header of a call.
pub fn authorization(secret_id: &str, secret_key: &str, call: &Call<'_>) -> String {
    format!(
        "TC3-HMAC-SHA256 Credential={secret_id}/{}, SignedHeaders={}, Signature={}",
        scope(call),
        names(call),
        signature(secret_key, call)
    )
}

/// Believes a request signed with the one known secret less than five minutes ago.
pub fn verify(
    headers: &HeaderMap,
    body: &[u8],
    service: &str,
    secret_id: &str,
    secret_key: &str,
    now: DateTime<Utc>,
) -> Result<(), NotBelieved> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let presented = Authorization::parse(text("authorization").ok_or(NotBelieved::Missing)?)?;
    if presented.secret_id != secret_id {
        return Err(NotBelieved::UnknownSecretId);
    }
    let timestamp =
        text("x-tc-timestamp").and_then(|value| value.parse().ok()).ok_or(NotBelieved::Missing)?;
    let at = DateTime::from_timestamp(timestamp, 0).ok_or(NotBelieved::Malformed)?;
    if (now - at).abs() > TimeDelta::minutes(5) {
        return Err(NotBelieved::Expired);
    }
    let mut signed = Vec::new();
    for name in &presented.signed {
        signed.push((*name, text(name).ok_or(NotBelieved::Mismatch)?));
    }
    let call = Call { service, at, signed: &signed, body };
    if presented.scope != scope(&call) {
        return Err(NotBelieved::Mismatch);
    }
    let presented = hex::decode(presented.signature).map_err(|_| NotBelieved::Malformed)?;
    mac(&signing_key(secret_key, &call), string_to_sign(&call).as_bytes())
        .verify_slice(&presented)
        .map_err(|_| NotBelieved::Mismatch)
}

struct Authorization<'a> {
    secret_id: &'a str,
    scope: &'a str,
    signed: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Result<Self, NotBelieved> {
        let parts = header.strip_prefix("TC3-HMAC-SHA256 ").ok_or(NotBelieved::Malformed)?;
        let part = |name: &str| {
            parts
                .split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
                .ok_or(NotBelieved::Malformed)
        };
        let (secret_id, scope) =
            part("Credential")?.split_once('/').ok_or(NotBelieved::Malformed)?;
        let signed: Vec<_> = part("SignedHeaders")?.split(';').collect();
        if !signed.contains(&"content-type") || !signed.contains(&"host") || !signed.is_sorted() {
            return Err(NotBelieved::Malformed);
        }
        Ok(Self { secret_id, scope, signed, signature: part("Signature")? })
    }
}

fn scope(call: &Call<'_>) -> String {
    format!("{}/{}/tc3_request", call.at.format("%Y-%m-%d"), call.service)
}

fn names(call: &Call<'_>) -> String {
    call.signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
}

fn canonical_request(call: &Call<'_>) -> String {
    let mut text = "POST\n/\n\n".to_owned();
    for (name, value) in call.signed {
        writeln!(text, "{name}:{}", value.trim().to_lowercase())
            .expect("a string takes all that is written");
    }
    write!(text, "\n{}\n{}", names(call), hex::encode(Sha256::digest(call.body)))
        .expect("a string takes all that is written");
    text
}

fn string_to_sign(call: &Call<'_>) -> String {
    let canonical = hex::encode(Sha256::digest(canonical_request(call)));
    format!("TC3-HMAC-SHA256\n{}\n{}\n{canonical}", call.at.timestamp(), scope(call))
}

fn signing_key(secret_key: &str, call: &Call<'_>) -> Vec<u8> {
    let date = call.at.format("%Y-%m-%d").to_string();
    let mut key = format!("TC3{secret_key}").into_bytes();
    for step in [date.as_str(), call.service, "tc3_request"] {
        key = mac(&key, step.as_bytes()).finalize().into_bytes().to_vec();
    }
    key
}

fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str =
        r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
    const OLDER: &[(&str, &str)] =
        &[("content-type", "application/json; charset=utf-8"), ("host", "cvm.tencentcloudapi.com")];
    const CURRENT: &[(&str, &str)] = &[
        ("content-type", "application/json; charset=utf-8"),
        ("host", "cvm.tencentcloudapi.com"),
        ("x-tc-action", "DescribeInstances"),
    ];

    fn call<'a>(signed: &'a [(&'a str, &'a str)]) -> Call<'a> {
        Call {
            service: "cvm",
            at: DateTime::from_timestamp(1_551_113_065, 0).unwrap(),
            signed,
            body: BODY.as_bytes(),
        }
    }

    #[test]
    fn the_published_examples_come_out() {
        for (key, signed, canonical, expected) in [
            (
                "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
                OLDER,
                Some("5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031"),
                "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
            ),
            (
                "********************************",
                CURRENT,
                Some("7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84"),
                "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
            ),
            (
                "Gu5t9xGARNpq86cd98joQYCN3*******",
                CURRENT,
                None,
                "be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3",
            ),
        ] {
            if let Some(canonical) = canonical {
                assert_eq!(
                    hex::encode(Sha256::digest(canonical_request(&call(signed)))),
                    canonical
                );
            }
            assert_eq!(signature(key, &call(signed)), expected);
        }
    }

    #[test]
    fn what_was_signed_is_believed_and_nothing_else_is() {
        let call = call(CURRENT);
        let mut headers = HeaderMap::new();
        for (name, value) in CURRENT {
            headers.insert(*name, value.parse().unwrap());
        }
        headers.insert("x-tc-timestamp", "1551113065".parse().unwrap());
        let check =
            |headers: &HeaderMap, body: &[u8], at| verify(headers, body, "cvm", "id", "key", at);
        assert_eq!(check(&headers, BODY.as_bytes(), call.at), Err(NotBelieved::Missing));

        headers.insert("authorization", authorization("id", "key", &call).parse().unwrap());
        assert_eq!(check(&headers, BODY.as_bytes(), call.at), Ok(()));
        assert_eq!(check(&headers, b"{}", call.at), Err(NotBelieved::Mismatch));
        assert_eq!(
            check(&headers, BODY.as_bytes(), call.at + TimeDelta::minutes(6)),
            Err(NotBelieved::Expired)
        );
        assert_eq!(
            verify(&headers, BODY.as_bytes(), "sms", "id", "key", call.at),
            Err(NotBelieved::Mismatch),
            "another service's scope"
        );

        headers.insert("authorization", authorization("other", "key", &call).parse().unwrap());
        assert_eq!(check(&headers, BODY.as_bytes(), call.at), Err(NotBelieved::UnknownSecretId));
        headers.insert("authorization", "TC3-HMAC-SHA256 Credential=id".parse().unwrap());
        assert_eq!(check(&headers, BODY.as_bytes(), call.at), Err(NotBelieved::Malformed));
    }
}
