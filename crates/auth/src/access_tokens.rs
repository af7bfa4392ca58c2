use std::fmt;

use chrono::{DateTime, Duration, Utc};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use types::{ContractorId, Role};

use crate::keys::{self, Kind, Root};
use crate::{RootTooShort, Subject, TokenError};

const TYP: &str = "access+jwt";
const ISSUER: &str = "sitepass";

/// Which of the two edges a token opens; never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The administrators' pages.
    Admin,
    /// The workers' mini-program.
    MiniProgram,
}

impl Audience {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "sitepass-admin",
            Self::MiniProgram => "sitepass-mp",
        }
    }

    /// How long a token lives from its issue: 10 minutes, or 12 hours for the mini-program.
    pub fn lifetime(self) -> Duration {
        match self {
            Self::Admin => Duration::minutes(10),
            Self::MiniProgram => Duration::hours(12),
        }
    }
}

/// What an access token says of its bearer. Their sites are not in it: they change while it lives, and are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub subject: Subject,
    pub role: Option<Role>,
    pub contractor: Option<ContractorId>,
    /// The family of refresh tokens an administrator signed in with, or the mini-program's session: what is looked up to
    /// see whether the token was ended before its time.
    pub session: Option<String>,
    /// Of the account when the token was issued: a change of the account makes the token stale.
    pub version: Option<u64>,
    pub audience: Audience,
}

/// Issues and verifies the tokens that browsers and phones hold.
#[derive(Clone)]
pub struct AccessTokens {
    key: SigningKey,
    kid: String,
}

#[derive(Serialize, Deserialize)]
struct Own {
    sub: Subject,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contractor: Option<ContractorId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

impl AccessTokens {
    /// `root` is at least 32 secret bytes; another root is another key, and ends every token of the old one.
    pub fn from_root(root: &[u8]) -> Result<Self, RootTooShort> {
        let key = Root::new(root)?.key("sitepass access tokens");
        let fingerprint = hex::encode(Sha256::digest(key.verifying_key().as_bytes()));
        Ok(Self { key, kid: format!("access-{}", &fingerprint[..16]) })
    }

    /// A token that lives for [`Audience::lifetime`] from `now`.
    pub fn issue(&self, claims: &Claims, now: DateTime<Utc>) -> String {
        let own = Own {
            sub: claims.subject.clone(),
            role: claims.role,
            contractor: claims.contractor,
            session: claims.session.clone(),
            version: claims.version,
        };
        keys::sign(&self.key, self.kind(claims.audience), own, now, claims.audience.lifetime())
    }

    /// The claims of a token made for `audience` that has not expired at `now`. Whether its session has been ended since
    /// is not known here.
    pub fn verify(
        &self,
        token: &str,
        audience: Audience,
        now: DateTime<Utc>,
    ) -> Result<Claims, TokenError> {
        let own: Own = keys::verify(&self.key, self.kind(audience), token, now)?;
        Ok(Claims {
            subject: own.sub,
            role: own.role,
            contractor: own.contractor,
            session: own.session,
            version: own.version,
            audience,
        })
    }

    fn kind(&self, audience: Audience) -> Kind<'_> {
        Kind { typ: TYP, audience: audience.as_str(), issuer: ISSUER, kid: &self.kid }
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
