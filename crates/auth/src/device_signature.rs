//! Signatures of door controllers: base64 HMAC-SHA256 over timestamp, nonce, method, path with query and the body's
//! hash, one to a line. That a nonce works once is for its keeper to see to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// How far a controller's timestamp may be from ours, either way, in seconds.
pub const MAX_SKEW_SECONDS: u64 = 300;

/// The `x-signature` of a request. `timestamp` is in Unix seconds, as the `x-timestamp` header has it.
pub fn sign(
    secret: &[u8],
    timestamp: &str,
    nonce: &str,
    method: &str,
    path_and_query: &str,
    body: &[u8],
) -> String {
    STANDARD
        .encode(mac(secret, timestamp, nonce, method, path_and_query, body).finalize().into_bytes())
}

/// Whether `signature` is the request's own, compared in constant time. The time is not looked at: see [`is_fresh`].
/// An empty secret signs nothing, and parts that could run into each other are refused.
pub fn verify(
    secret: &[u8],
    timestamp: &str,
    nonce: &str,
    method: &str,
    path_and_query: &str,
    body: &[u8],
    signature: &str,
) -> bool {
    let parts = [timestamp, nonce, method, path_and_query];
    if secret.is_empty() || parts.iter().any(|part| part.is_empty() || part.contains('\n')) {
        return false;
    }
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    mac(secret, timestamp, nonce, method, path_and_query, body).verify_slice(&signature).is_ok()
}

/// Whether a timestamp in Unix seconds is within five minutes of `now`, either way. One that is no number is not.
pub fn is_fresh(timestamp: &str, now: DateTime<Utc>) -> bool {
    timestamp
        .parse::<i64>()
        .is_ok_and(|seconds| seconds.abs_diff(now.timestamp()) <= MAX_SKEW_SECONDS)
}

fn mac(
    secret: &[u8],
    timestamp: &str,
    nonce: &str,
    method: &str,
    path_and_query: &str,
    body: &[u8],
) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    for part in [timestamp, nonce, method, path_and_query] {
        mac.update(part.as_bytes());
        mac.update(b"\n");
    }
    mac.update(hex::encode(Sha256::digest(body)).as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"device secret for the test vector";
    const PATH: &str = "/api/device/v1/heartbeat?x=1";
    const BODY: &[u8] = br#"{"seq":1}"#;
    /// Computed apart from this code, with Python's `hmac`.
    const SIGNATURE: &str = "uGTBYdGVlTuqQaT+ydSAHNk5gsBBsbRpEa+sqGnE3hA=";

    #[test]
    fn a_signature_is_what_other_implementations_compute() {
        assert_eq!(sign(SECRET, "1772409600", "n-0001", "POST", PATH, BODY), SIGNATURE);
        assert!(verify(SECRET, "1772409600", "n-0001", "POST", PATH, BODY, SIGNATURE));
    }

    #[test]
    fn any_altered_part_breaks_the_signature() {
        assert!(!verify(b"another secret", "1772409600", "n-0001", "POST", PATH, BODY, SIGNATURE));
        assert!(!verify(SECRET, "1772409601", "n-0001", "POST", PATH, BODY, SIGNATURE));
        assert!(!verify(SECRET, "1772409600", "n-0002", "POST", PATH, BODY, SIGNATURE));
        assert!(!verify(SECRET, "1772409600", "n-0001", "GET", PATH, BODY, SIGNATURE));
        assert!(!verify(
            SECRET,
            "1772409600",
            "n-0001",
            "POST",
            "/api/device/v1/heartbeat",
            BODY,
            SIGNATURE
        ));
        assert!(!verify(SECRET, "1772409600", "n-0001", "POST", PATH, br#"{"seq":2}"#, SIGNATURE));
    }

    #[test]
    fn a_part_of_a_signature_is_none() {
        for signature in ["", "uGTBYdGV", "not base64!", &SIGNATURE[..43]] {
            assert!(
                !verify(SECRET, "1772409600", "n-0001", "POST", PATH, BODY, signature),
                "{signature}"
            );
        }
    }

    #[test]
    fn an_empty_secret_signs_nothing() {
        let signature = sign(b"", "1772409600", "n-0001", "POST", PATH, BODY);
        assert!(!verify(b"", "1772409600", "n-0001", "POST", PATH, BODY, &signature));
    }

    #[test]
    fn a_line_break_cannot_move_text_from_one_part_to_the_next() {
        let signature = sign(SECRET, "1772409600", "n\nPOST", "x", PATH, BODY);
        assert!(!verify(SECRET, "1772409600", "n\nPOST", "x", PATH, BODY, &signature));
    }

    #[test]
    fn a_timestamp_holds_for_five_minutes_either_way() {
        let now = DateTime::from_timestamp(1_772_409_600, 0).unwrap();
        for (timestamp, fresh) in [
            ("1772409600", true),
            ("1772409300", true),
            ("1772409900", true),
            ("1772409299", false),
            ("1772409901", false),
            ("-9223372036854775808", false),
            ("now", false),
            ("", false),
        ] {
            assert_eq!(is_fresh(timestamp, now), fresh, "{timestamp}");
        }
    }
}
