use proto::directory::v1::CheckSignInResponse;
use service::Scope;

use super::{App, Error};
use crate::domain::FamilyId;
use crate::{store, wire};

impl App {
    /// Whether a sign-in still holds, for which version of its account, and what the account may now.
    #[tracing::instrument(name = "account.check_sign_in", skip_all)]
    pub(crate) async fn check_sign_in(
        &self,
        family: FamilyId,
    ) -> Result<CheckSignInResponse, Error> {
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        let account = store::refresh::live(&mut tx, family).await?.ok_or(Error::NotSignedIn)?;
        let account = store::accounts::get(&mut tx, account).await?;
        let account = account
            .filter(|account| account.may_sign_in(self.system.now()))
            .ok_or(Error::NotSignedIn)?;
        Ok(wire::sign_in(&account))
    }
}
