use auth::Caller;
use service::{Scope, config::Secret};
use types::{AccountId, Role};

use super::{App, CONTEXT, Error, create_account, fact, records};
use crate::domain::Account;
use crate::store;

impl App {
    /// Makes the `SysAdmin` `admin` where there is no account at all; `false` where there is one. Of several
    /// processes that start at once, one makes it.
    #[tracing::instrument(name = "account.create_first", skip_all)]
    pub(crate) async fn create_first_account(&self, password: &Secret) -> Result<bool, Error> {
        let password =
            password.expose_str().ok_or(Error::Internal("the first password is no text"))?;
        let hash = self.passwords.hash(password.to_owned()).await?;
        let account = Account {
            id: AccountId::new(),
            username: "admin".to_owned(),
            role: Role::SysAdmin,
            sites: Vec::new(),
            contractor: None,
            disabled: false,
            one_time_until: None,
            version: 1,
        };
        let now = self.clock.now();
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        store::accounts::lock_first(&mut tx).await?;
        if store::accounts::any(&mut tx).await? {
            return Ok(false);
        }
        let account = create_account::insert(&mut tx, account, &hash, now).await?;
        let caller = Caller::service(CONTEXT);
        let mut record = fact(&caller, "account.create", "account", account.id.to_string(), now);
        record.reason = Some("the first start");
        records::of_sites(&mut tx, account.sites, record).await?;
        tx.commit().await?;
        tracing::info!(account.id = %account.id, "first account made");
        Ok(true)
    }
}
