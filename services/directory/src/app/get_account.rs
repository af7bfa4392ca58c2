use auth::{Caller, Subject};
use proto::directory::v1::GetAccountResponse;
use service::Scope;
use types::{AccountId, Permission};

use super::{App, Error};
use crate::{store, wire};

impl App {
    /// One's own account; others' for those who manage accounts, and for services.
    #[tracing::instrument(name = "account.get", skip_all, fields(account.id = %account))]
    pub(crate) async fn get_account(
        &self,
        caller: &Caller,
        account: AccountId,
    ) -> Result<GetAccountResponse, Error> {
        let own = caller.account_id() == Some(account);
        let service = matches!(caller.subject, Subject::Service(_));
        if !own && !service && !caller.may(Permission::AccountManage) {
            return Err(Error::NotFound);
        }
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        let account = store::accounts::get(&mut tx, account).await?.ok_or(Error::NotFound)?;
        Ok(GetAccountResponse { account: Some(wire::account(&account)) })
    }
}
