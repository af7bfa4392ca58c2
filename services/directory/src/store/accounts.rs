use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AccountId, ContractorId};
use uuid::Uuid;

use crate::domain::Account;

use super::{ids, kept, uuids, version};

struct Row {
    account_id: Uuid,
    username: String,
    password_hash: String,
    role: String,
    contractor_id: Option<Uuid>,
    disabled: bool,
    version: i64,
    sites: Vec<Uuid>,
}

impl Row {
    fn account(self) -> Result<(Account, String), StoreError> {
        let role =
            self.role.parse().map_err(|_| StoreError::corrupt("accounts", self.account_id))?;
        let account = Account {
            id: self.account_id.into(),
            username: self.username,
            role,
            sites: ids(self.sites),
            contractor: self.contractor_id.map(ContractorId::from),
            disabled: self.disabled,
            version: version(self.version),
        };
        Ok((account, self.password_hash))
    }
}

/// An account and the hash of its password. Needs a scope of every site: a `SysAdmin` has them all.
pub(crate) async fn by_username(
    tx: &mut Tx,
    username: &str,
) -> Result<Option<(Account, String)>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT a.account_id, a.username, a.password_hash, a.role, a.contractor_id,
               a.disabled_at IS NOT NULL AS "disabled!", a.version,
               CASE a.role WHEN 'SysAdmin' THEN ARRAY(SELECT site_id FROM directory.sites ORDER BY 1)
                   ELSE ARRAY(SELECT s.site_id FROM directory.account_sites s
                              WHERE s.account_id = a.account_id ORDER BY 1) END AS "sites!"
           FROM directory.accounts a WHERE a.username = $1"#,
        username,
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Row::account).transpose()
}

/// Needs a scope of every site, as [`by_username`].
pub(crate) async fn get(tx: &mut Tx, account: AccountId) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT a.account_id, a.username, a.password_hash, a.role, a.contractor_id,
               a.disabled_at IS NOT NULL AS "disabled!", a.version,
               CASE a.role WHEN 'SysAdmin' THEN ARRAY(SELECT site_id FROM directory.sites ORDER BY 1)
                   ELSE ARRAY(SELECT s.site_id FROM directory.account_sites s
                              WHERE s.account_id = a.account_id ORDER BY 1) END AS "sites!"
           FROM directory.accounts a WHERE a.account_id = $1"#,
        account.as_uuid(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(Row::account).transpose()?.map(|(account, _)| account))
}

pub(crate) async fn any(tx: &mut Tx) -> Result<bool, StoreError> {
    let any = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM directory.accounts) AS "any!""#);
    Ok(any.fetch_one(&mut **tx).await?)
}

/// `sites` are kept for accounts that have not all of them.
pub(crate) async fn insert(
    tx: &mut Tx,
    account: &Account,
    password_hash: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO directory.accounts (account_id, username, password_hash, role, contractor_id, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        account.id.as_uuid(),
        account.username,
        password_hash,
        account.role.as_str(),
        account.contractor.map(ContractorId::as_uuid),
        kept(account.version),
        at,
    )
    .execute(&mut **tx)
    .await?;
    if account.contractor.is_some() {
        sqlx::query!(
            "INSERT INTO directory.account_sites (account_id, site_id) SELECT $1, unnest($2::uuid[])",
            account.id.as_uuid(),
            &uuids(&account.sites),
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Holds every other start of the first account back until this transaction ends.
pub(crate) async fn lock_first(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('directory first account', 0))")
        .execute(&mut **tx)
        .await?;
    Ok(())
}
