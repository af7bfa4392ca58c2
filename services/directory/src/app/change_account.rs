use auth::Caller;
use proto::directory::v1::ChangeAccountResponse;
use service::{Scope, Tx};
use types::AccountId;

use super::create_account::check_place;
use super::{App, Error, as_read, fact, reaches, records};
use crate::domain::{Account, AccountChange, FamilyEnd};
use crate::{store, wire};

#[derive(Debug)]
pub(crate) struct ChangeAccount {
    pub account: AccountId,
    /// As it was read.
    pub version: u64,
    pub change: AccountChange,
    pub reason: Option<String>,
}

impl App {
    /// Access tokens that were given before are stale. Disabling ends every sign-in besides. Nobody changes their own
    /// account, and one who runs the system is always left.
    #[tracing::instrument(name = "account.change", skip_all, fields(account.id = %cmd.account))]
    pub(crate) async fn change_account(
        &self,
        caller: &Caller,
        cmd: ChangeAccount,
    ) -> Result<ChangeAccountResponse, Error> {
        let ChangeAccount { account, version, change, reason } = cmd;
        let named = change.sites.as_deref().unwrap_or_default();
        if !named.iter().all(|site| reaches(caller, *site)) {
            return Err(Error::NotFound);
        }
        let now = self.clock.now();
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        let before = store::accounts::get(&mut tx, account).await?.ok_or(Error::NotFound)?;
        if caller.account_id() == Some(account) {
            return Err(Error::NotAllowed("it is one's own account"));
        }
        as_read(before.version, version)?;
        let after = before.changed(change).map_err(Error::Invalid)?;
        if after == before {
            return Ok(ChangeAccountResponse { account: Some(wire::account(&before)) });
        }
        check_place(&mut tx, &after).await?;
        if before.runs_the_system() && !after.runs_the_system() {
            keep_one(&mut tx, account).await?;
        }
        let after = Account { version: before.version + 1, ..after };
        store::accounts::save(&mut tx, &after, now).await?;
        if after.disabled {
            let ended = FamilyEnd::Disabled;
            store::refresh::end_all(&mut tx, account, None, ended, self.system.now()).await?;
        }
        // With the sites it has now: a SysAdmin's are read.
        let after = store::accounts::get(&mut tx, account).await?.ok_or(Error::NotFound)?;
        events::enqueue(&mut tx, &wire::account_changed(&after), now).await?;
        let (was, is) = records::compared(records::account(&before), records::account(&after));
        let mut record = fact(caller, "account.change", "account", account.to_string(), now);
        (record.before, record.after) = (Some(was), Some(is));
        record.reason = reason.as_deref();
        let concerned = before.sites.iter().chain(&after.sites).copied();
        records::of_sites(&mut tx, concerned, record).await?;
        tx.commit().await?;
        Ok(ChangeAccountResponse { account: Some(wire::account(&after)) })
    }
}

/// Somebody other than `account` runs the system.
async fn keep_one(tx: &mut Tx, account: AccountId) -> Result<(), Error> {
    let running = store::accounts::lock_sysadmins(tx).await?;
    if running.iter().any(|id| *id != account) {
        return Ok(());
    }
    Err(Error::NotAllowed("nobody would be left who runs the system"))
}
