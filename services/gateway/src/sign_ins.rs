//! What an access token says is believed for half a minute at a time: then `directory` is asked whether the sign-in it
//! came from still holds, and whether its account is still the one the token describes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use auth::{Caller, Claims, Subject};
use chrono::{DateTime, TimeDelta, Utc};
use proto::directory::v1::{CheckSignInRequest, CheckSignInResponse};
use service::Refusal;
use types::ErrorCode;

use crate::call::{Gateway, asked};
use crate::failure::Failure;

const FRESH: TimeDelta = TimeDelta::seconds(25);
/// While `directory` is away, what was seen to hold is believed a little longer: no longer than a disabled account may
/// go on, less the time that asking takes.
const AT_MOST: TimeDelta = TimeDelta::seconds(50);
/// More sign-ins than this are not remembered without a look at which of them are too old.
const MANY: usize = 10_000;

/// Sign-ins that were seen to hold, by the family of their refresh tokens.
#[derive(Debug, Default)]
pub(crate) struct SignIns {
    seen: Mutex<HashMap<String, Seen>>,
}

#[derive(Debug, Clone)]
struct Seen {
    at: DateTime<Utc>,
    holds: CheckSignInResponse,
}

impl SignIns {
    /// Whether the token's sign-in holds for this account as it was: `true` when nothing but a new password may be
    /// asked for.
    pub(crate) async fn must_change_password(
        &self,
        gateway: &Gateway,
        claims: &Claims,
    ) -> Result<bool, Refusal> {
        let family = claims.session.clone().ok_or_else(not_signed_in)?;
        let now = gateway.shell.system.now();
        let seen = self.seen(&family).filter(|seen| now - seen.at < AT_MOST);
        let holds = match seen {
            Some(seen) if now - seen.at < FRESH => seen.holds,
            seen => match ask(gateway, &family).await {
                Ok(holds) => {
                    self.keep(family, Seen { at: now, holds: holds.clone() }, now);
                    holds
                }
                Err(Failure(refusal)) if is_away(refusal.code) => seen.ok_or(refusal)?.holds,
                Err(Failure(refusal)) => {
                    self.forget(&family);
                    return Err(refusal);
                }
            },
        };
        let Subject::Account(account) = &claims.subject else { return Err(not_signed_in()) };
        if holds.account_id != account.to_string() {
            return Err(not_signed_in());
        }
        if claims.version != Some(holds.account_version) {
            // Their refresh token gives one that describes the account as it is.
            return Err(Refusal::new(ErrorCode::TokenExpired));
        }
        Ok(holds.must_change_password)
    }

    /// The next token of the family is looked at anew.
    pub(crate) fn forget(&self, family: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(family);
    }

    fn seen(&self, family: &str) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(family).cloned()
    }

    fn keep(&self, family: String, seen: Seen, now: DateTime<Utc>) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MANY {
            all.retain(|_, seen| now - seen.at < AT_MOST);
        }
        all.insert(family, seen);
    }
}

async fn ask(gateway: &Gateway, family: &str) -> Result<CheckSignInResponse, Failure> {
    asked(|| {
        let message = CheckSignInRequest { family_id: family.to_owned() };
        let request = gateway.shell.signed("gateway", &Caller::service("gateway"), message);
        let mut directory = gateway.directory();
        async move { directory.check_sign_in(request).await }
    })
    .await
}

fn is_away(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UpstreamUnavailable | ErrorCode::StoreUnavailable | ErrorCode::Timeout
    )
}

fn not_signed_in() -> Refusal {
    Refusal::new(ErrorCode::NotSignedIn)
}
