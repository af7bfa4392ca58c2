use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use crate::keys::{self, Kind, Root};
use crate::subject::is_service_name;
use crate::{Caller, RootTooShort, Sites, Subject, TokenError};

const TYP: &str = "caller+jwt";
const AUDIENCE: &str = "sitepass-internal";
const LIFETIME: Duration = Duration::seconds(60);
/// The one issuer that may speak for others: it has authenticated them.
const GATEWAY: &str = "gateway";

/// Signs and verifies [`Caller`]s between services. Each issuer has a key of its own, derived from the root secret, and
/// its name is the key id.
#[derive(Clone, Debug)]
pub struct CallerKeys {
    root: Arc<Root>,
}

impl CallerKeys {
    /// `root` is at least 32 secret bytes, the same in every process of one installation.
    pub fn from_root(root: &[u8]) -> Result<Self, RootTooShort> {
        Ok(Self { root: Arc::new(Root::new(root)?) })
    }

    /// A token of 60 s that says `caller`, vouched for by the service `issuer`. What the issuer may not say is signed all
    /// the same, and refused by [`CallerKeys::verify`].
    pub fn sign(&self, issuer: &str, caller: &Caller, now: DateTime<Utc>) -> String {
        keys::sign(&self.root.key(&label(issuer)), kind(issuer), caller, now, LIFETIME)
    }

    /// The caller a token speaks of, with the token in [`Caller::token`]. `gateway` may speak for anyone but not for every
    /// site at once; any other issuer only for itself. The same token verifies as often as it is shown.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Caller, TokenError> {
        let issuer = keys::unverified_kid(token)?;
        if !is_service_name(&issuer) {
            return Err(TokenError::Invalid);
        }
        let caller: Caller =
            keys::verify(&self.root.key(&label(&issuer)), kind(&issuer), token, now)?;
        if may_say(&issuer, &caller) {
            Ok(Caller { token: Some(token.to_owned()), ..caller })
        } else {
            Err(TokenError::Invalid)
        }
    }
}

fn may_say(issuer: &str, caller: &Caller) -> bool {
    match &caller.subject {
        Subject::Service(name) => name == issuer,
        _ => issuer == GATEWAY && caller.sites != Sites::All,
    }
}

fn label(issuer: &str) -> String {
    format!("sitepass caller {issuer}")
}

fn kind(issuer: &str) -> Kind<'_> {
    Kind { typ: TYP, audience: AUDIENCE, issuer, kid: issuer }
}

#[cfg(test)]
mod tests;
