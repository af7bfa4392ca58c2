use std::fmt;

use auth::Caller;
use proto::directory::v1::CreateAccountResponse;
use serde_json::json;
use service::idempotency::{self, Key};
use service::{Scope, Tx};
use types::{AccountId, ContractorId, Role, SiteId};

use super::{App, Error, fact, reaches, records, replayed};
use crate::domain::Account;
use crate::{store, wire};

pub(crate) struct CreateAccount {
    pub username: String,
    pub password: String,
    pub role: Role,
    /// Empty for a `SysAdmin`, who has them all, and for nobody else.
    pub sites: Vec<SiteId>,
    /// Given for a `ContractorAdmin` and nobody else.
    pub contractor: Option<ContractorId>,
}

impl fmt::Debug for CreateAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateAccount").field("role", &self.role).finish_non_exhaustive()
    }
}

impl App {
    #[tracing::instrument(name = "account.create", skip_all, fields(account.id))]
    pub(crate) async fn create_account(
        &self,
        caller: &Caller,
        key: Option<&Key>,
        cmd: CreateAccount,
    ) -> Result<CreateAccountResponse, Error> {
        let CreateAccount { username, password, role, mut sites, contractor } = cmd;
        sites.sort_unstable();
        sites.dedup();
        if !sites.iter().all(|site| reaches(caller, *site)) {
            return Err(Error::NotFound);
        }
        let hash = self.passwords.hash(password).await?;
        let id = AccountId::new();
        tracing::Span::current().record("account.id", tracing::field::display(id));
        let account = Account {
            id,
            username,
            role,
            sites,
            contractor,
            disabled: false,
            one_time_until: None,
            version: 1,
        };
        let now = self.clock.now();
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        if let Some(answer) = replayed(&mut tx, key, self.system.now()).await? {
            return Ok(answer);
        }
        check_place(&mut tx, &account).await?;
        let account = insert(&mut tx, account, &hash, now).await?;
        let message = wire::account(&account);
        let mut record = fact(caller, "account.create", "account", id.to_string(), now);
        record.after = Some(json!({
            "role": account.role.as_str(),
            "site_ids": message.site_ids,
            "contractor_id": message.contractor_id,
        }));
        records::of_sites(&mut tx, account.sites, record).await?;
        let answer = CreateAccountResponse { account: Some(message) };
        idempotency::answer(&mut tx, key, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }
}

/// The sites of the account exist, and its contractor works on each of them, also when the account is written.
pub(super) async fn check_place(tx: &mut Tx, account: &Account) -> Result<(), Error> {
    if store::sites::known(tx, &account.sites).await?.len() < account.sites.len() {
        return Err(Error::NotFound);
    }
    let Some(contractor) = account.contractor else { return Ok(()) };
    store::contractors::hold(tx, contractor).await?;
    let works_on = store::contractors::sites_of(tx, contractor).await?;
    if account.sites.iter().all(|site| works_on.contains(site)) {
        return Ok(());
    }
    Err(Error::field("contractor_id", "does not work on each of site_ids"))
}

/// Writes a new account and tells of it; answers it with the sites it has.
pub(super) async fn insert(
    tx: &mut Tx,
    account: Account,
    password_hash: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Account, Error> {
    let inserted = store::accounts::insert(tx, &account, password_hash, now).await;
    inserted.map_err(|err| Error::taken(err, &[("accounts_username", "username")]))?;
    let account = store::accounts::get(tx, account.id).await?.ok_or(Error::NotFound)?;
    events::enqueue(tx, &wire::account_changed(&account), now).await?;
    Ok(account)
}
