use auth::{Caller, Subject};
use proto::directory::v1::GetAccountResponse;
use service::Scope;
use types::{AccountId, Permission};

use super::{App, Error, scope};
use crate::domain::Account;
use crate::{store, wire};

impl App {
    /// One's own account; others' for those who read accounts, as far as these reach one of their sites, and for services.
    #[tracing::instrument(name = "account.get", skip_all, fields(account.id = %account))]
    pub(crate) async fn get_account(
        &self,
        caller: &Caller,
        account: AccountId,
    ) -> Result<GetAccountResponse, Error> {
        let own = caller.account_id() == Some(account);
        let service = matches!(caller.subject, Subject::Service(_));
        let scope = match own || service {
            true => Scope::System("an account's sites"),
            false if caller.may(Permission::AccountRead) => scope(caller),
            false => return Err(Error::NotFound),
        };
        let mut tx = self.store.begin(scope).await?;
        let account = store::accounts::get(&mut tx, account).await?;
        let account = account.filter(Account::is_somewhere).ok_or(Error::NotFound)?;
        Ok(GetAccountResponse { account: Some(wire::account(&account)) })
    }
}
