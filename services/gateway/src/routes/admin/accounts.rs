use proto::directory::v1::{self as directory, CreateAccountRequest};
use serde::{Deserialize, Serialize};
use types::ErrorCode;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, answer, some};
use crate::call::{Call, Shared};
use crate::failure::Failure;
use crate::request::{Command, id, ids};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(create_account))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    #[schema(min_length = 1)]
    username: String,
    #[schema(min_length = 1)]
    password: String,
    role: AccountRole,
    #[serde(default)]
    site_ids: Vec<Uuid>,
    /// Of a `ContractorAdmin`.
    contractor_id: Option<Uuid>,
}

#[derive(Deserialize, ToSchema)]
enum AccountRole {
    SysAdmin,
    ContractorAdmin,
}

#[derive(Serialize, ToSchema)]
struct CreatedAccount {
    account_id: String,
    username: String,
    role: String,
    site_ids: Vec<String>,
    contractor_id: Option<String>,
    disabled: bool,
    version: u64,
}

impl From<directory::Account> for CreatedAccount {
    fn from(account: directory::Account) -> Self {
        Self {
            account_id: account.account_id,
            username: account.username,
            role: account.role,
            site_ids: account.site_ids,
            contractor_id: some(account.contractor_id),
            disabled: account.disabled,
            version: account.version,
        }
    }
}

#[utoipa::path(
    post,
    path = "/api/admin/accounts",
    tag = "accounts",
    request_body = NewAccount,
    responses((status = 200, body = Enveloped<CreatedAccount>))
)]
async fn create_account(call: Call, Command(new): Command<NewAccount>) -> Answer<CreatedAccount> {
    let role = match new.role {
        AccountRole::SysAdmin => types::Role::SysAdmin,
        AccountRole::ContractorAdmin => types::Role::ContractorAdmin,
    };
    let message = CreateAccountRequest {
        username: new.username,
        password: new.password,
        role: role.as_str().to_owned(),
        site_ids: ids(&new.site_ids),
        contractor_id: id(new.contractor_id),
    };
    let created = call.directory().create_account(call.command(message)).await?.into_inner();
    answer(created.account.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}
