//! Ed25519 keys derived from a root secret, and the JSON Web Tokens they sign.

use std::fmt;

use chrono::{DateTime, Utc};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use zeroize::Zeroizing;

const MIN_ROOT_BYTES: usize = 32;
/// How far ahead of ours the clock of a token's signer may be, in seconds.
const MAX_CLOCK_LEAD: i64 = 60;

/// A root secret of fewer than 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the root secret is shorter than {MIN_ROOT_BYTES} bytes")]
pub struct RootTooShort;

/// Why a token is not believed. Of the two only `Expired` may be told to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("token expired")]
    Expired,
    /// Altered, of another key, kind or audience, or claiming what its issuer may not.
    #[error("token invalid")]
    Invalid,
}

/// The one secret a family of keys comes from; wiped when dropped.
pub(crate) struct Root(Zeroizing<Vec<u8>>);

impl Root {
    pub(crate) fn new(secret: &[u8]) -> Result<Self, RootTooShort> {
        if secret.len() < MIN_ROOT_BYTES {
            return Err(RootTooShort);
        }
        Ok(Self(Zeroizing::new(secret.to_vec())))
    }

    /// The same label gives the same key in every process that has the root.
    pub(crate) fn key(&self, label: &str) -> SigningKey {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(label.as_bytes());
        let seed = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        SigningKey::from_bytes(&seed)
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Root(***)")
    }
}

/// What makes a token one of a kind: all four are checked against what was expected, never against what it says.
#[derive(Clone, Copy)]
pub(crate) struct Kind<'a> {
    pub(crate) typ: &'static str,
    pub(crate) audience: &'static str,
    pub(crate) issuer: &'a str,
    pub(crate) kid: &'a str,
}

/// The claims every token has, around its own.
#[derive(Serialize, serde::Deserialize)]
struct Envelope<T> {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    #[serde(flatten)]
    own: T,
}

pub(crate) fn sign<T: Serialize>(
    key: &SigningKey,
    kind: Kind<'_>,
    own: T,
    now: DateTime<Utc>,
    lifetime: chrono::Duration,
) -> String {
    let envelope = Envelope {
        iss: kind.issuer.to_owned(),
        aud: kind.audience.to_owned(),
        iat: now.timestamp(),
        exp: (now + lifetime).timestamp(),
        own,
    };
    let header = Header {
        typ: Some(kind.typ.to_owned()),
        kid: Some(kind.kid.to_owned()),
        ..Header::new(Algorithm::EdDSA)
    };
    let der = key.to_pkcs8_der().expect("an Ed25519 key has a PKCS #8 form");
    jsonwebtoken::encode(&header, &envelope, &EncodingKey::from_ed_der(der.as_bytes()))
        .expect("claims of strings and numbers are JSON, and Ed25519 signs anything")
}

/// The key id a token names; nothing of it has been verified.
pub(crate) fn unverified_kid(token: &str) -> Result<String, TokenError> {
    jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid).ok_or(TokenError::Invalid)
}

pub(crate) fn verify<T: DeserializeOwned>(
    key: &SigningKey,
    kind: Kind<'_>,
    token: &str,
    now: DateTime<Utc>,
) -> Result<T, TokenError> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["iss", "aud", "exp"]);
    validation.set_issuer(&[kind.issuer]);
    validation.set_audience(&[kind.audience]);
    // The library would read the machine's clock; the time is checked below against the one handed in.
    validation.validate_exp = false;
    let public = DecodingKey::from_ed_der(key.verifying_key().as_bytes());
    let data = jsonwebtoken::decode::<Envelope<T>>(token, &public, &validation)
        .map_err(|_| TokenError::Invalid)?;
    let (header, envelope) = (data.header, data.claims);
    let expected = header.typ.as_deref() == Some(kind.typ)
        && header.kid.as_deref() == Some(kind.kid)
        && header.crit.is_none()
        && envelope.iat <= now.timestamp().saturating_add(MAX_CLOCK_LEAD);
    if !expected {
        return Err(TokenError::Invalid);
    }
    if now.timestamp() >= envelope.exp {
        return Err(TokenError::Expired);
    }
    Ok(envelope.own)
}
