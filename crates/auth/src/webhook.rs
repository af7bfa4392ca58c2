//! Standard Webhooks 1.0.0, symmetric: `v1,` and the base64 HMAC-SHA256 over `{id}.{timestamp}.{body}`.
//!
//! A secret is `whsec_` and the base64 of 24 to 64 random bytes. That an id is handled once is for its keeper to see to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// How far the timestamp of an attempt may be from ours, either way, in seconds.
pub const TOLERANCE_SECONDS: i64 = 300;

/// Why a webhook is not believed, or could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// Ours to mend: a secret in the configuration is not `whsec_` and the base64 of 24 to 64 bytes.
    #[error("webhook secret malformed")]
    BadSecret,
    /// The id is empty, or has the dot that separates it from the timestamp.
    #[error("webhook id malformed")]
    BadId,
    #[error("webhook timestamp malformed")]
    BadTimestamp,
    #[error("webhook timestamp too old")]
    TooOld,
    #[error("webhook timestamp too new")]
    TooNew,
    /// No entry of the header was made with one of the secrets.
    #[error("no webhook signature matches")]
    NoMatch,
}

/// The `webhook-signature` of one attempt at `timestamp` (Unix seconds).
pub fn sign(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Result<String, WebhookError> {
    check_id(id)?;
    let tag = mac(&key(secret)?, id, &timestamp.to_string(), body).finalize().into_bytes();
    Ok(format!("v1,{}", STANDARD.encode(tag)))
}

/// Succeeds if one entry of `signature_header` was made with one of `secrets` (several live ones while they rotate) and
/// the attempt is within five minutes of `now`. All arguments are the headers and the body as they came.
pub fn verify(
    secrets: &[&str],
    id: &str,
    timestamp: &str,
    signature_header: &str,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), WebhookError> {
    let keys = secrets.iter().map(|secret| key(secret)).collect::<Result<Vec<_>, _>>()?;
    check_id(id)?;
    check_time(timestamp, now)?;
    let mut found = false;
    for entry in signature_header.split(' ') {
        let Some(("v1", encoded)) = entry.split_once(',') else { continue };
        let Ok(tag) = STANDARD.decode(encoded) else { continue };
        // `verify_slice` refuses a tag of any other length: an entry of `v1,` alone matches nothing.
        found |= keys.iter().any(|key| mac(key, id, timestamp, body).verify_slice(&tag).is_ok());
    }
    if found { Ok(()) } else { Err(WebhookError::NoMatch) }
}

fn check_id(id: &str) -> Result<(), WebhookError> {
    if id.is_empty() || id.contains('.') { Err(WebhookError::BadId) } else { Ok(()) }
}

fn check_time(timestamp: &str, now: DateTime<Utc>) -> Result<(), WebhookError> {
    let seconds: i64 = timestamp.parse().map_err(|_| WebhookError::BadTimestamp)?;
    let now = now.timestamp();
    if seconds < now.saturating_sub(TOLERANCE_SECONDS) {
        Err(WebhookError::TooOld)
    } else if seconds > now.saturating_add(TOLERANCE_SECONDS) {
        Err(WebhookError::TooNew)
    } else {
        Ok(())
    }
}

fn key(secret: &str) -> Result<Zeroizing<Vec<u8>>, WebhookError> {
    let encoded = secret.strip_prefix("whsec_").ok_or(WebhookError::BadSecret)?;
    let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| WebhookError::BadSecret)?);
    if (24..=64).contains(&key.len()) { Ok(key) } else { Err(WebhookError::BadSecret) }
}

fn mac(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests;
