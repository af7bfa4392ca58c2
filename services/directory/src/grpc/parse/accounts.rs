use proto::directory::v1 as pb;
use service::{Fields, Refusal};
use types::{AccountId, ContractorId, Page, Role};
use uuid::Uuid;

use super::{
    MAX_NAME, MAX_PASSWORD_CHARS, MAX_REASON, optional_text, places, read, read_page, read_version,
};
use crate::app::{AccountFilter, ChangeAccount, ChangePassword, CreateAccount};
use crate::domain::{AccountChange, FamilyId, MIN_PASSWORD_CHARS, is_username, unfit};

pub(in crate::grpc) fn create_account(
    message: pb::CreateAccountRequest,
) -> Result<CreateAccount, Refusal> {
    let pb::CreateAccountRequest { username, password, role, site_ids, contractor_id } = message;
    read(|fields| {
        let username = username.trim().to_lowercase();
        fields.check(is_username(&username), "username", "is not 3 to 32 of a-z, 0-9 and . _ -");
        new_password(fields, "password", &password);
        let role: Option<Role> = fields.parse("role", &role);
        let sites = fields.parse_list("site_ids", &site_ids);
        let contractor: Option<ContractorId> =
            fields.parse_optional("contractor_id", &contractor_id);
        let problems =
            role.map(|role| unfit(role, !site_ids.is_empty(), !contractor_id.is_empty()));
        for bad in problems.into_iter().flatten() {
            fields.problem(&bad.field, bad.problem);
        }
        Some(CreateAccount { username, password, role: role?, sites, contractor })
    })
}

fn new_password(fields: &mut Fields, field: &str, password: &str) {
    let chars = password.chars().count();
    fields.check(
        chars >= MIN_PASSWORD_CHARS,
        field,
        &format!("is shorter than {MIN_PASSWORD_CHARS} characters"),
    );
    fields.check(chars <= MAX_PASSWORD_CHARS, field, "is too long");
}

pub(in crate::grpc) fn change_account(
    message: &pb::ChangeAccountRequest,
) -> Result<ChangeAccount, Refusal> {
    read(|fields| {
        let account = fields.parse("account_id", &message.account_id);
        read_version(fields, message.version);
        let contractor = message.contractor_id.as_deref();
        let change = AccountChange {
            disabled: message.disabled,
            role: fields.parse_optional("role", &message.role),
            sites: places::sites(fields, message.sites.as_ref()),
            contractor: contractor.map(|text| fields.parse_optional("contractor_id", text)),
        };
        let reason = optional_text(fields, "reason", &message.reason, MAX_REASON);
        Some(ChangeAccount { account: account?, version: message.version, change, reason })
    })
}

pub(in crate::grpc) fn list_accounts(
    message: &pb::ListAccountsRequest,
) -> Result<(AccountFilter, Page), Refusal> {
    read(|fields| {
        let disabled = message.disabled.as_str();
        fields.check(
            matches!(disabled, "" | "true" | "false"),
            "disabled",
            "is neither true nor false",
        );
        fields.check(message.keyword.chars().count() <= MAX_NAME, "keyword", "is too long");
        let filter = AccountFilter {
            role: fields.parse_optional("role", &message.role),
            site: fields.parse_optional("site_id", &message.site_id),
            contractor: fields.parse_optional("contractor_id", &message.contractor_id),
            disabled: disabled.parse().ok(),
            keyword: message.keyword.trim().to_lowercase(),
        };
        Some((filter, read_page(fields, message.page)?))
    })
}

pub(in crate::grpc) fn reset_password(
    message: &pb::ResetPasswordRequest,
) -> Result<(AccountId, Option<String>), Refusal> {
    read(|fields| {
        let account = fields.parse("account_id", &message.account_id);
        let reason = optional_text(fields, "reason", &message.reason, MAX_REASON);
        Some((account?, reason))
    })
}

pub(in crate::grpc) fn change_password(
    message: pb::ChangePasswordRequest,
) -> Result<ChangePassword, Refusal> {
    let pb::ChangePasswordRequest { old_password: old, new_password: new, family_id } = message;
    read(|fields| {
        fields.check(!old.is_empty(), "old_password", "is required");
        fields.check(old.chars().count() <= MAX_PASSWORD_CHARS, "old_password", "is too long");
        new_password(fields, "new_password", &new);
        fields.check(old.is_empty() || old != new, "new_password", "is the old one");
        let family = Uuid::try_parse(&family_id).ok();
        fields.check(family.is_some() || family_id.is_empty(), "family_id", "is not a UUID");
        Some(ChangePassword { old, new, family: family.map(FamilyId) })
    })
}
