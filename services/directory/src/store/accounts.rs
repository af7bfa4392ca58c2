use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use types::{AccountId, ContractorId, Page, Role, SiteId};
use uuid::Uuid;

use crate::domain::Account;

use super::{guarded, ids, kept, uuids, version};

struct Row {
    account_id: Uuid,
    username: String,
    password_hash: String,
    role: String,
    contractor_id: Option<Uuid>,
    disabled: bool,
    one_time_until: Option<DateTime<Utc>>,
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
            one_time_until: self.one_time_until,
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
               a.disabled_at IS NOT NULL AS "disabled!", a.one_time_until, a.version,
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
               a.disabled_at IS NOT NULL AS "disabled!", a.one_time_until, a.version,
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

/// Holds the account as it is until this transaction ends: neither what it may nor its password changes meanwhile. Others
/// may hold it too.
pub(crate) async fn hold(tx: &mut Tx, account: AccountId) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT FROM directory.accounts WHERE account_id = $1 FOR SHARE",
        account.as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
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
    insert_sites(tx, account).await
}

async fn insert_sites(tx: &mut Tx, account: &Account) -> Result<(), StoreError> {
    if account.role != Role::SysAdmin {
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

/// Writes what an account may, as it was read at the version before its own. Needs a scope of every site.
pub(crate) async fn save(
    tx: &mut Tx,
    account: &Account,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE directory.accounts SET role = $3, contractor_id = $4, version = $5,
             disabled_at = CASE WHEN $6 THEN coalesce(disabled_at, $7) END
         WHERE account_id = $1 AND version = $2",
        account.id.as_uuid(),
        kept(account.version - 1),
        account.role.as_str(),
        account.contractor.map(ContractorId::as_uuid),
        kept(account.version),
        account.disabled,
        at,
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, 1)?;
    sqlx::query!("DELETE FROM directory.account_sites WHERE account_id = $1", account.id.as_uuid())
        .execute(&mut **tx)
        .await?;
    insert_sites(tx, account).await
}

/// Writes a new password and how long it is good for, to an account as it was read at the version before its own.
pub(crate) async fn save_password(
    tx: &mut Tx,
    account: &Account,
    password_hash: &str,
) -> Result<(), StoreError> {
    let result = sqlx::query!(
        "UPDATE directory.accounts SET password_hash = $3, one_time_until = $4, version = $5
         WHERE account_id = $1 AND version = $2",
        account.id.as_uuid(),
        kept(account.version - 1),
        password_hash,
        account.one_time_until,
        kept(account.version),
    )
    .execute(&mut **tx)
    .await?;
    guarded(&result, 1)
}

/// Those who run the system, held as they are until this transaction ends: of several who would take the last of
/// them away, one does.
pub(crate) async fn lock_sysadmins(tx: &mut Tx) -> Result<Vec<AccountId>, StoreError> {
    let accounts = sqlx::query_scalar!(
        "SELECT account_id FROM directory.accounts WHERE role = 'SysAdmin' AND disabled_at IS NULL
         ORDER BY account_id FOR UPDATE",
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ids(accounts))
}

/// What accounts to look for; what is not given matches everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub role: Option<Role>,
    pub site: Option<SiteId>,
    pub contractor: Option<ContractorId>,
    pub disabled: Option<bool>,
    /// Part of a user name, in small letters.
    pub keyword: String,
}

/// A page of the accounts that reach a site of the scope, by user name, with those of their sites that the scope shows;
/// and how many there are in all.
pub(crate) async fn list(
    tx: &mut Tx,
    filter: &Filter,
    page: Page,
) -> Result<(Vec<Account>, i64), StoreError> {
    let (accounts, total) = part(tx, filter, page.limit(), page.offset()).await?;
    if accounts.is_empty() && page.offset() > 0 {
        // Beyond the last page no row tells how many there are.
        let (_, total) = part(tx, filter, 1, 0).await?;
        return Ok((accounts, total));
    }
    Ok((accounts, total))
}

async fn part(
    tx: &mut Tx,
    filter: &Filter,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Account>, i64), StoreError> {
    let rows = sqlx::query!(
        r#"WITH found AS (
               SELECT a.account_id, a.username, a.password_hash, a.role, a.contractor_id, a.disabled_at,
                   a.one_time_until, a.version,
                   CASE a.role WHEN 'SysAdmin' THEN ARRAY(SELECT site_id FROM directory.sites ORDER BY 1)
                       ELSE ARRAY(SELECT s.site_id FROM directory.account_sites s
                                  WHERE s.account_id = a.account_id ORDER BY 1) END AS sites
               FROM directory.accounts a
               WHERE ($1::text IS NULL OR a.role = $1) AND ($2::uuid IS NULL OR a.contractor_id = $2)
                   AND ($3::bool IS NULL OR (a.disabled_at IS NOT NULL) = $3)
                   AND ($4::text = '' OR strpos(a.username, $4) > 0))
           SELECT account_id AS "account_id!", username AS "username!", password_hash AS "password_hash!",
               role AS "role!", contractor_id AS "contractor_id?", disabled_at IS NOT NULL AS "disabled!",
               one_time_until AS "one_time_until?", version AS "version!", sites AS "sites!",
               count(*) OVER () AS "total!"
           FROM found
           WHERE (role = 'SysAdmin' OR cardinality(sites) > 0) AND ($5::uuid IS NULL OR $5 = ANY (sites))
           ORDER BY username LIMIT $6 OFFSET $7"#,
        filter.role.map(Role::as_str),
        filter.contractor.map(ContractorId::as_uuid),
        filter.disabled,
        filter.keyword,
        filter.site.map(SiteId::as_uuid),
        limit,
        offset,
    )
    .fetch_all(&mut **tx)
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let accounts = rows.into_iter().map(|row| {
        let row = Row {
            account_id: row.account_id,
            username: row.username,
            password_hash: row.password_hash,
            role: row.role,
            contractor_id: row.contractor_id,
            disabled: row.disabled,
            one_time_until: row.one_time_until,
            version: row.version,
            sites: row.sites,
        };
        row.account().map(|(account, _)| account)
    });
    Ok((accounts.collect::<Result<_, _>>()?, total))
}

/// Holds every other start of the first account back until this transaction ends.
pub(crate) async fn lock_first(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('directory first account', 0))")
        .execute(&mut **tx)
        .await?;
    Ok(())
}
