use chrono::{DateTime, Utc};
use proto::directory::v1::{
    self as directory, ChangeAccountRequest, CreateAccountRequest, GetAccountRequest,
    ListAccountsRequest, ResetPasswordRequest, SiteIds,
};
use serde::{Deserialize, Serialize};
use types::{ErrorCode, Role};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Items, answer, instant, some};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Id, Listed, Query, id, ids, wire};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_accounts, create_account))
        .routes(routes!(get_account, change_account))
        .routes(routes!(reset_password))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    /// `SysAdmin`, `ContractorAdmin` or `Auditor`.
    role: Option<String>,
    site_id: Option<Uuid>,
    contractor_id: Option<Uuid>,
    disabled: Option<bool>,
    /// Part of a user name.
    #[param(max_length = 60)]
    keyword: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    /// 3 to 32 of a-z, 0-9 and . _ -, beginning with a letter or digit.
    #[schema(min_length = 1)]
    username: String,
    /// 12 to 256 characters.
    #[schema(min_length = 12, max_length = 256)]
    password: String,
    role: AccountRole,
    /// Empty for a `SysAdmin`, who has every site.
    #[serde(default)]
    site_ids: Vec<Uuid>,
    /// Of a `ContractorAdmin`.
    contractor_id: Option<Uuid>,
}

/// What is absent stays as it is, unless a new role has no use for it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedAccount {
    /// As it was read.
    #[schema(minimum = 1)]
    version: u64,
    disabled: Option<bool>,
    role: Option<AccountRole>,
    site_ids: Option<Vec<Uuid>>,
    contractor_id: Option<Uuid>,
    #[schema(max_length = 200)]
    reason: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordReset {
    #[schema(max_length = 200)]
    reason: Option<String>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
enum AccountRole {
    SysAdmin,
    ContractorAdmin,
    Auditor,
}

impl AccountRole {
    fn as_str(self) -> &'static str {
        match self {
            Self::SysAdmin => Role::SysAdmin.as_str(),
            Self::ContractorAdmin => Role::ContractorAdmin.as_str(),
            Self::Auditor => Role::Auditor.as_str(),
        }
    }
}

/// Somebody who signs in to the administration, as others see them.
#[derive(Serialize, ToSchema)]
struct KnownAccount {
    account_id: String,
    username: String,
    role: String,
    /// Of a `SysAdmin` all there are; of others those that the caller may see.
    site_ids: Vec<String>,
    contractor_id: Option<String>,
    disabled: bool,
    must_change_password: bool,
    version: u64,
}

#[derive(Serialize, ToSchema)]
struct OneTimePassword {
    account: KnownAccount,
    /// Shown this once and kept nowhere in clear.
    one_time_password: String,
    expires_at: Option<DateTime<Utc>>,
}

impl From<directory::Account> for KnownAccount {
    fn from(account: directory::Account) -> Self {
        Self {
            account_id: account.account_id,
            username: account.username,
            role: account.role,
            site_ids: account.site_ids,
            contractor_id: some(account.contractor_id),
            disabled: account.disabled,
            must_change_password: account.must_change_password,
            version: account.version,
        }
    }
}

fn known(account: Option<directory::Account>) -> Result<KnownAccount, Failure> {
    Ok(account.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}

/// The accounts that reach one of the caller's sites, by user name.
#[utoipa::path(
    get,
    path = "/api/admin/accounts",
    tag = "accounts",
    params(Listed<Filter>),
    responses((status = 200, body = Enveloped<Items<KnownAccount>>))
)]
async fn list_accounts(
    call: Call,
    Query(listed): Query<Listed<Filter>>,
) -> Answer<Items<KnownAccount>> {
    let (filter, page) = (listed.filter, listed.paging.page()?);
    let message = ListAccountsRequest {
        role: filter.role.unwrap_or_default(),
        site_id: id(filter.site_id),
        contractor_id: id(filter.contractor_id),
        disabled: filter.disabled.map(|disabled| disabled.to_string()).unwrap_or_default(),
        keyword: filter.keyword.unwrap_or_default(),
        page: Some(wire(page)),
    };
    let found = ask!(call.directory.list_accounts(message)).await?;
    answer(Items::new(found.accounts, found.total, page))
}

#[utoipa::path(
    post,
    path = "/api/admin/accounts",
    tag = "accounts",
    request_body = NewAccount,
    responses((status = 200, body = Enveloped<KnownAccount>))
)]
async fn create_account(call: Call, Command(new): Command<NewAccount>) -> Answer<KnownAccount> {
    let message = CreateAccountRequest {
        username: new.username,
        password: new.password,
        role: new.role.as_str().to_owned(),
        site_ids: ids(&new.site_ids),
        contractor_id: id(new.contractor_id),
    };
    let created = call.directory().create_account(call.command(message)).await?.into_inner();
    answer(known(created.account)?)
}

#[utoipa::path(
    get,
    path = "/api/admin/accounts/{account_id}",
    tag = "accounts",
    params(("account_id" = Uuid, Path)),
    responses((status = 200, body = Enveloped<KnownAccount>))
)]
async fn get_account(call: Call, Id(account_id): Id) -> Answer<KnownAccount> {
    let found = ask!(call.directory.get_account(GetAccountRequest { account_id })).await?;
    answer(known(found.account)?)
}

/// Changes what an account may, or disables it: it is out within a minute. Not one's own, and not the last who runs
/// the system.
#[utoipa::path(
    patch,
    path = "/api/admin/accounts/{account_id}",
    tag = "accounts",
    params(("account_id" = Uuid, Path)),
    request_body = ChangedAccount,
    responses((status = 200, body = Enveloped<KnownAccount>))
)]
async fn change_account(
    call: Call,
    Id(account_id): Id,
    Command(changed): Command<ChangedAccount>,
) -> Answer<KnownAccount> {
    let message = ChangeAccountRequest {
        account_id,
        version: changed.version,
        disabled: changed.disabled,
        role: changed.role.map(|role| role.as_str().to_owned()).unwrap_or_default(),
        sites: changed.site_ids.map(|site_ids| SiteIds { site_ids: ids(&site_ids) }),
        contractor_id: changed.contractor_id.map(|contractor| contractor.to_string()),
        reason: changed.reason.unwrap_or_default(),
    };
    let changed = call.directory().change_account(call.command(message)).await?.into_inner();
    answer(known(changed.account)?)
}

/// Gives a one-time password, good for a day, and ends every sign-in of the account. Whoever signs in with it has to
/// choose a new one first.
#[utoipa::path(
    post,
    path = "/api/admin/accounts/{account_id}/reset-password",
    tag = "accounts",
    params(("account_id" = Uuid, Path)),
    request_body = PasswordReset,
    responses((status = 200, body = Enveloped<OneTimePassword>))
)]
async fn reset_password(
    call: Call,
    Id(account_id): Id,
    Command(reset): Command<PasswordReset>,
) -> Answer<OneTimePassword> {
    let message = ResetPasswordRequest { account_id, reason: reset.reason.unwrap_or_default() };
    let reset = call.directory().reset_password(call.command(message)).await?.into_inner();
    answer(OneTimePassword {
        account: known(reset.account)?,
        one_time_password: reset.one_time_password,
        expires_at: instant(reset.expires_at),
    })
}
