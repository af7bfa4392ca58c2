use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const MIN_SECRET_BYTES: usize = 32;

/// A secret of fewer than 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret is shorter than {MIN_SECRET_BYTES} bytes")]
pub struct SecretTooShort;

/// Why a signed address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("address expired")]
    Expired,
    /// Altered, or signed with another secret.
    #[error("address signature invalid")]
    Invalid,
}

/// Signs addresses of blobs, so that one who was given the address can read the blob for a while and nothing else.
#[derive(Clone)]
pub struct UrlSigner {
    mac: Hmac<Sha256>,
}

impl UrlSigner {
    /// `secret` is at least 32 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, SecretTooShort> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(SecretTooShort);
        }
        Ok(Self { mac: keyed(secret) })
    }

    /// The query, `?expires=…&signature=…`, that makes `path` readable until `expires_at` (whole seconds). `path` is the
    /// one [`UrlSigner::verify`] will see, as it stands in the address, without a query.
    pub fn sign(&self, path: &str, expires_at: DateTime<Utc>) -> String {
        let expires = expires_at.timestamp();
        let signature = URL_SAFE_NO_PAD.encode(self.over(path, expires).finalize().into_bytes());
        format!("?expires={expires}&signature={signature}")
    }

    /// Whether `signature` was made for this `path` and `expires` (Unix seconds), compared in constant time, and `now` is
    /// before it. An address works as often as it is used until then.
    pub fn verify(
        &self,
        path: &str,
        expires: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> Result<(), UrlError> {
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| UrlError::Invalid)?;
        self.over(path, expires).verify_slice(&signature).map_err(|_| UrlError::Invalid)?;
        if now.timestamp() < expires { Ok(()) } else { Err(UrlError::Expired) }
    }

    fn over(&self, path: &str, expires: i64) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        // The number comes first: no path can be read as a part of it.
        mac.update(format!("sitepass address 1\n{expires}\n{path}").as_bytes());
        mac
    }
}

impl fmt::Debug for UrlSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UrlSigner(***)")
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of thirty-two bytes and more";
    const PATH: &str = "/media/videos/1.mp4";
    const EXPIRES: i64 = 1_772_409_600;

    fn signer() -> UrlSigner {
        UrlSigner::new(SECRET).unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn signature() -> String {
        let query = signer().sign(PATH, at(EXPIRES));
        query.strip_prefix("?expires=1772409600&signature=").unwrap().to_owned()
    }

    #[test]
    fn a_signed_address_works_until_it_expires() {
        assert_eq!(signer().verify(PATH, EXPIRES, &signature(), at(0)), Ok(()));
        assert_eq!(signer().verify(PATH, EXPIRES, &signature(), at(EXPIRES - 1)), Ok(()));
        assert_eq!(
            signer().verify(PATH, EXPIRES, &signature(), at(EXPIRES)),
            Err(UrlError::Expired)
        );
    }

    #[test]
    fn another_path_time_or_secret_is_invalid() {
        let now = at(0);
        let others = UrlSigner::new(b"another secret of thirty-two bytes").unwrap();
        assert_eq!(
            signer().verify("/media/videos/2.mp4", EXPIRES, &signature(), now),
            Err(UrlError::Invalid)
        );
        assert_eq!(signer().verify(PATH, EXPIRES + 1, &signature(), now), Err(UrlError::Invalid));
        assert_eq!(others.verify(PATH, EXPIRES, &signature(), now), Err(UrlError::Invalid));
    }

    #[test]
    fn a_part_of_a_signature_or_none_is_invalid() {
        for signature in
            ["", "AAAA", "not base64!", &signature()[..42], &format!("{}A", signature())]
        {
            assert_eq!(
                signer().verify(PATH, EXPIRES, signature, at(0)),
                Err(UrlError::Invalid),
                "{signature}"
            );
        }
    }

    #[test]
    fn a_signature_needs_no_escaping_in_an_address() {
        assert!(
            signature()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        );
    }

    #[test]
    fn a_short_secret_is_refused_and_the_secret_never_printed() {
        assert_eq!(UrlSigner::new(&[7; 31]).unwrap_err(), SecretTooShort);
        assert_eq!(format!("{:?}", signer()), "UrlSigner(***)");
    }
}
