//! The use cases, one file each.

mod bind_worker;
mod change_account;
mod change_area;
mod change_contractor;
mod change_password;
mod change_site;
mod check_binding;
mod check_references;
mod check_sign_in;
mod create_account;
mod create_area;
mod create_contractor;
mod create_first_account;
mod create_site;
mod enter_mini_program;
mod error;
mod export_workers;
mod find_registration;
mod forget;
mod get_account;
mod get_registration_code;
mod get_site;
mod get_worker;
mod limits;
mod list_accounts;
mod list_areas;
mod list_contractors;
mod list_roster_changes;
mod list_roster_readings;
mod list_sites;
mod match_workers;
mod name_workers;
mod passwords;
mod personal;
mod read_due_rosters;
mod read_roster;
mod records;
mod refresh_sign_in;
mod reset_password;
mod resolve_workers;
mod seal_anew;
mod search_workers;
mod send_sms_code;
mod sign_in;
mod sign_out;
mod sync_workers;
mod take_in;
mod unbind_worker;

use auth::{Caller, Sites};
use chrono::{DateTime, Utc};
use events::AuditFact;
use prost::Message;
use service::idempotency::{self, Claim, Key};
use service::{Scope, Store, Tasks, Tx};
use types::{Permission, SiteClock, SiteId, SystemClock};
use vault::Vault;

use crate::realname::RealName;
use crate::sms::Sender;

pub(crate) use crate::store::accounts::Filter as AccountFilter;
pub(crate) use bind_worker::{BindWorker, IdProof, PhoneProof};
pub(crate) use change_account::ChangeAccount;
pub(crate) use change_area::ChangeArea;
pub(crate) use change_contractor::ChangeContractor;
pub(crate) use change_password::ChangePassword;
pub(crate) use change_site::ChangeSite;
pub(crate) use check_references::CheckReferences;
pub(crate) use create_account::CreateAccount;
pub(crate) use create_area::CreateArea;
pub(crate) use create_site::CreateSite;
pub(crate) use error::Error;
pub(crate) use list_roster_changes::ListRosterChanges;
pub(crate) use match_workers::{BadName, Line, MatchWorkers};
pub(crate) use passwords::Passwords;
pub(crate) use resolve_workers::Purpose;
pub(crate) use search_workers::WorkerFilter;
pub(crate) use send_sms_code::SendSmsCode;

const CONTEXT: &str = "directory";

/// Everything a use case needs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) vault: Vault,
    pub(crate) wechat: wechat::Client,
    pub(crate) sms: Sender,
    pub(crate) realname: RealName,
    pub(crate) clock: SiteClock,
    pub(crate) system: SystemClock,
    pub(crate) passwords: Passwords,
    /// For what goes on when its request has ended.
    pub(crate) tasks: Tasks,
}

/// The sites a caller's reading is confined to. Who manages sites reads each, also one made after their token.
fn scope(caller: &Caller) -> Scope {
    match &caller.sites {
        Sites::All => Scope::System("a service acting as itself"),
        Sites::Some(_) if caller.may(Permission::SiteManage) => {
            Scope::System("who manages sites reads each")
        }
        Sites::Some(sites) => Scope::Sites(sites.clone()),
    }
}

/// Whether the caller may name this site. Who manages sites may name each, also one made after their token.
fn reaches(caller: &Caller, site: SiteId) -> bool {
    caller.may_touch(site) || caller.may(Permission::SiteManage)
}

fn confined(caller: &Caller, site: SiteId) -> Result<Scope, Error> {
    if reaches(caller, site) { Ok(Scope::Site(site)) } else { Err(Error::NotFound) }
}

/// A command is about what its caller last read.
fn as_read(version: u64, read_at: u64) -> Result<(), Error> {
    if version == read_at { Ok(()) } else { Err(service::StoreError::Conflict.into()) }
}

/// The answer this key got before, if it did.
async fn replayed<R: Message + Default>(
    tx: &mut Tx,
    key: Option<&Key>,
    now: DateTime<Utc>,
) -> Result<Option<R>, Error> {
    match idempotency::claim(tx, key, now).await? {
        Claim::New => Ok(None),
        Claim::Replay(answer) => match R::decode(answer.as_slice()) {
            Ok(answer) => Ok(Some(answer)),
            Err(_) => Err(Error::Internal("a kept answer does not decode")),
        },
    }
}

/// The record of a command; the rest is filled in where there is more to say.
fn fact<'a>(
    caller: &'a Caller,
    action: &'a str,
    target_type: &'a str,
    target_id: String,
    at: DateTime<Utc>,
) -> AuditFact<'a> {
    AuditFact {
        context: CONTEXT,
        caller,
        action,
        target_type,
        target_id,
        site: None,
        before: None,
        after: None,
        reason: None,
        at,
    }
}
