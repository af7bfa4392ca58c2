//! What an access token says is believed for half a minute at a time: then `directory` is asked whether the sign-in it
//! came from still holds, whether its account is still the one the token describes, and which sites are its own.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use auth::{Caller, Claims, Subject};
use chrono::{DateTime, TimeDelta, Utc};
use proto::directory::v1::{CheckSignInRequest, CheckSignInResponse};
use service::Refusal;
use types::{ErrorCode, Role};

use crate::call::{Gateway, asked};
use crate::failure::{Failure, is_away};

const FRESH: TimeDelta = TimeDelta::seconds(25);
/// While `directory` is away, what was seen to hold is believed a little longer: no longer than a disabled account may
/// go on, less the time that asking takes.
const AT_MOST: TimeDelta = TimeDelta::seconds(50);
/// More sign-ins than this are not remembered without a look at which of them are too old.
const MANY: usize = 10_000;

/// Sign-ins that were seen to hold.
#[derive(Debug, Default)]
pub(crate) struct SignIns(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// By the family of their refresh tokens.
    seen: HashMap<String, Seen>,
    /// How often something was forgotten: what was asked before that is not remembered after it.
    forgotten: u64,
}

#[derive(Debug, Clone)]
struct Seen {
    at: DateTime<Utc>,
    confirmed: Confirmed,
}

/// A sign-in as `directory` last told it.
#[derive(Debug, Clone)]
pub(crate) struct Confirmed {
    /// The account with the role, sites and contractor it has now.
    pub(crate) caller: Caller,
    /// Nothing but a new password may be asked for.
    pub(crate) must_change_password: bool,
    version: u64,
}

impl SignIns {
    /// Who is calling, if the token's sign-in holds for this account as it was when the token was made.
    pub(crate) async fn confirm(
        &self,
        gateway: &Gateway,
        claims: &Claims,
    ) -> Result<Confirmed, Refusal> {
        let Subject::Account(_) = &claims.subject else { return Err(not_signed_in()) };
        let family = claims.session.clone().ok_or_else(not_signed_in)?;
        let now = gateway.shell.system.now();
        let (seen, forgotten) = self.look(&family);
        // What was seen before the token was made says nothing of the account that it describes.
        let seen = seen.filter(|seen| {
            now - seen.at < AT_MOST && claims.version <= Some(seen.confirmed.version)
        });
        let confirmed = match seen {
            Some(seen) if now - seen.at < FRESH => seen.confirmed,
            seen => match ask(gateway, &family).await {
                Ok(holds) => {
                    let confirmed = Confirmed::read(holds)?;
                    let seen = Seen { at: now, confirmed: confirmed.clone() };
                    self.keep(family, seen, now, forgotten);
                    confirmed
                }
                Err(Failure(refusal)) if is_away(refusal.code) => seen.ok_or(refusal)?.confirmed,
                Err(Failure(refusal)) => {
                    self.forget(&family);
                    return Err(refusal);
                }
            },
        };
        if confirmed.caller.subject != claims.subject {
            return Err(not_signed_in());
        }
        if claims.version != Some(confirmed.version) {
            // Their refresh token gives one that describes the account as it is.
            return Err(Refusal::new(ErrorCode::TokenExpired));
        }
        Ok(confirmed)
    }

    /// The next token of the family is looked at anew.
    pub(crate) fn forget(&self, family: &str) {
        let mut memory = self.memory();
        memory.forgotten += 1;
        memory.seen.remove(family);
    }

    /// The same for every account of the role.
    pub(crate) fn forget_role(&self, role: Role) {
        let mut memory = self.memory();
        memory.forgotten += 1;
        memory.seen.retain(|_, seen| seen.confirmed.caller.role != Some(role));
    }

    fn look(&self, family: &str) -> (Option<Seen>, u64) {
        let memory = self.memory();
        (memory.seen.get(family).cloned(), memory.forgotten)
    }

    fn keep(&self, family: String, seen: Seen, now: DateTime<Utc>, forgotten: u64) {
        let mut memory = self.memory();
        if memory.forgotten != forgotten {
            return;
        }
        if memory.seen.len() >= MANY {
            memory.seen.retain(|_, seen| now - seen.at < AT_MOST);
        }
        memory.seen.insert(family, seen);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Confirmed {
    fn read(holds: CheckSignInResponse) -> Result<Self, Refusal> {
        let internal = |_| Refusal::new(ErrorCode::Internal);
        let sites = holds.site_ids.iter().map(|id| id.parse()).collect::<Result<Vec<_>, _>>();
        let contractor = Some(holds.contractor_id).filter(|id| !id.is_empty());
        let caller = Caller::account(
            holds.account_id.parse().map_err(internal)?,
            holds.role.parse().map_err(|_| Refusal::new(ErrorCode::Internal))?,
            sites.map_err(internal)?,
            contractor.map(|id| id.parse()).transpose().map_err(internal)?,
        );
        let must_change_password = holds.must_change_password;
        Ok(Self { caller, must_change_password, version: holds.account_version })
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

fn not_signed_in() -> Refusal {
    Refusal::new(ErrorCode::NotSignedIn)
}

#[cfg(test)]
mod tests {
    use types::{AccountId, SiteId};

    use super::*;

    #[test]
    fn what_was_asked_before_something_was_forgotten_is_not_remembered_after_it() {
        let (sign_ins, now) = (SignIns::default(), DateTime::UNIX_EPOCH);
        let caller = Caller::account(AccountId::new(), Role::SysAdmin, vec![SiteId::new()], None);
        let confirmed = Confirmed { caller, must_change_password: false, version: 1 };
        let seen = || Seen { at: now, confirmed: confirmed.clone() };
        let (_, asked) = sign_ins.look("a");
        sign_ins.forget_role(Role::SysAdmin);
        sign_ins.keep("a".to_owned(), seen(), now, asked);
        assert!(sign_ins.look("a").0.is_none());

        let (_, asked) = sign_ins.look("a");
        sign_ins.keep("a".to_owned(), seen(), now, asked);
        sign_ins.forget_role(Role::Auditor);
        assert!(sign_ins.look("a").0.is_some());
        sign_ins.forget_role(Role::SysAdmin);
        assert!(sign_ins.look("a").0.is_none());
    }
}
