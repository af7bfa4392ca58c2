use std::fmt;

use auth::Caller;
use proto::directory::v1::ChangePasswordResponse;
use service::Scope;

use super::{App, Error, fact};
use crate::domain::{Account, FamilyEnd, FamilyId};
use crate::{store, wire};

pub(crate) struct ChangePassword {
    pub old: String,
    pub new: String,
    /// The sign-in they do it from, which goes on.
    pub family: Option<FamilyId>,
}

impl fmt::Debug for ChangePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangePassword").finish_non_exhaustive()
    }
}

impl App {
    /// One's own, by who knows the old one. Wrong guesses count as failed sign-ins do.
    #[tracing::instrument(name = "account.change_password", skip_all)]
    pub(crate) async fn change_password(
        &self,
        caller: &Caller,
        cmd: ChangePassword,
    ) -> Result<ChangePasswordResponse, Error> {
        let ChangePassword { old, new, family } = cmd;
        let account = caller.account_id().ok_or(Error::NotSignedIn)?;
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        let account = store::accounts::get(&mut tx, account).await?.ok_or(Error::NotSignedIn)?;
        drop(tx);
        let attempt = self.attempt(caller, &account.username).await?;
        let (before, hash) = attempt.found.clone().ok_or(Error::NotSignedIn)?;
        if !before.may_sign_in(self.system.now()) {
            return Err(Error::NotSignedIn);
        }
        if !self.passwords.fits(old, Some(hash)).await? {
            return Err(Error::field("old_password", "is not the present one"));
        }
        let hash = self.passwords.hash(new).await?;

        let (now, system) = (self.clock.now(), self.system.now());
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        attempt.succeeded(&mut tx).await?;
        let after = Account { one_time_until: None, version: before.version + 1, ..before };
        store::accounts::save_password(&mut tx, &after, &hash).await?;
        let because = FamilyEnd::PasswordChanged;
        store::refresh::end_all(&mut tx, after.id, family, because, system).await?;
        events::enqueue(&mut tx, &wire::account_changed(&after), now).await?;
        let record = fact(caller, "account.change_password", "account", after.id.to_string(), now);
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(ChangePasswordResponse { account: Some(wire::account(&after)) })
    }
}
