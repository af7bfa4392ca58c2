//! Messages to commands: every bad field is named at once, and never with its value.

mod accounts;
mod places;
mod settings;

use std::fmt::Display;
use std::str::FromStr;

use proto::common::v1::PageRequest;
use proto::directory::v1 as pb;
use service::{Fields, Refusal};
use types::{Page, WorkerId};
use uuid::Uuid;
use vault::{IdNo, Phone};

use crate::app::{BindWorker, CheckReferences, PhoneProof, Purpose, SearchWorkers};
use crate::domain::{FamilyId, SmsCode};

pub(super) use accounts::{
    change_account, change_password, create_account, list_accounts, reset_password,
};
pub(super) use places::{
    change_area, change_contractor, change_site, create_area, create_contractor, create_site,
};

const MAX_NAME: usize = 60;
const MAX_REASON: usize = 200;
const MAX_DESCRIPTION: usize = 200;
const MAX_PASSWORD_CHARS: usize = 256;
const MAX_CODE_BYTES: usize = 256;
const MAX_WORKERS: usize = 2000;

/// What a reader made of the fields, once none of them is bad.
fn read<T>(read: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, Refusal> {
    let mut fields = Fields::new();
    let found = read(&mut fields);
    fields.finish()?;
    found.ok_or_else(|| Refusal::new(types::ErrorCode::ValidationFailed))
}

pub(super) fn id<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Refusal> {
    read(|fields| fields.parse(field, text))
}

pub(super) fn optional_id<T: FromStr<Err: Display>>(
    field: &str,
    text: &str,
) -> Result<Option<T>, Refusal> {
    read(|fields| Some(fields.parse_optional(field, text)))
}

pub(super) fn family(text: &str) -> Result<FamilyId, Refusal> {
    read(|fields| {
        let family = Uuid::try_parse(text).ok();
        fields.check(family.is_some(), "family_id", "is not a UUID");
        family.map(FamilyId)
    })
}

pub(super) fn credentials(message: &pb::SignInRequest) -> Result<(), Refusal> {
    read(|fields| {
        fields.check(!message.username.is_empty(), "username", "is required");
        fields.check(message.username.chars().count() <= MAX_NAME, "username", "is too long");
        fields.check(!message.password.is_empty(), "password", "is required");
        fields.check(
            message.password.chars().count() <= MAX_PASSWORD_CHARS,
            "password",
            "is too long",
        );
        Some(())
    })
}

pub(super) fn search_workers(message: pb::SearchWorkersRequest) -> Result<SearchWorkers, Refusal> {
    let pb::SearchWorkersRequest { site_id, contractor_id, keyword, bound, page } = message;
    read(|fields| {
        let site = fields.parse("site_id", &site_id);
        let contractor = fields.parse_optional("contractor_id", &contractor_id);
        fields.check(keyword.chars().count() <= MAX_NAME, "keyword", "is too long");
        fields.check(
            matches!(bound.as_str(), "" | "true" | "false"),
            "bound",
            "is neither true nor false",
        );
        let page = read_page(fields, page);
        Some(SearchWorkers {
            site: site?,
            contractor,
            keyword,
            bound: bound.parse().ok(),
            page: page?,
        })
    })
}

fn read_page(fields: &mut Fields, page: Option<PageRequest>) -> Option<Page> {
    let page = page.unwrap_or_default();
    Page::from_wire(page.page, page.page_size)
        .map_err(|bad| fields.problem(&bad.field, bad.problem))
        .ok()
}

/// A version counts from 1; 0 is not given.
fn read_version(fields: &mut Fields, version: u64) {
    fields.check(version > 0, "version", "is required");
}

/// A text that may be left out.
fn optional_text(fields: &mut Fields, field: &str, text: &str, most: usize) -> Option<String> {
    if text.is_empty() { None } else { fields.text(field, text, most) }
}

/// A text that may be left out, or cleared.
fn clearable(fields: &mut Fields, field: &str, text: Option<&str>, most: usize) -> Option<String> {
    match text?.trim() {
        "" => Some(String::new()),
        text => fields.text(field, text, most),
    }
}

pub(super) fn workers(worker_ids: &[String]) -> Result<Vec<WorkerId>, Refusal> {
    read(|fields| Some(worker_list(fields, worker_ids)))
}

fn worker_list(fields: &mut Fields, worker_ids: &[String]) -> Vec<WorkerId> {
    if worker_ids.len() > MAX_WORKERS {
        fields.problem("worker_ids", format!("holds more than {MAX_WORKERS}"));
        return Vec::new();
    }
    fields.parse_list("worker_ids", worker_ids)
}

pub(super) fn resolve_workers(
    message: &pb::ResolveWorkersRequest,
) -> Result<(Vec<WorkerId>, Purpose), Refusal> {
    read(|fields| {
        let workers = worker_list(fields, &message.worker_ids);
        let purpose = fields.parse("purpose", &message.purpose);
        Some((workers, purpose?))
    })
}

pub(super) fn check_references(
    message: &pb::CheckReferencesRequest,
) -> Result<CheckReferences, Refusal> {
    read(|fields| {
        let site = fields.parse("site_id", &message.site_id);
        let contractor = fields.parse_optional("contractor_id", &message.contractor_id);
        let areas = fields.parse_list("area_ids", &message.area_ids);
        let workers = worker_list(fields, &message.worker_ids);
        Some(CheckReferences { site: site?, contractor, areas, workers })
    })
}

pub(super) fn code(field: &str, text: &str) -> Result<String, Refusal> {
    read(|fields| read_code(fields, field, text))
}

/// A code of WeChat's: opaque, but never longer than what travels in a link.
fn read_code(fields: &mut Fields, field: &str, text: &str) -> Option<String> {
    fields.text(field, text, MAX_CODE_BYTES)
}

pub(super) fn phone(text: &str) -> Result<Phone, Refusal> {
    read(|fields| read_phone(fields, text))
}

fn read_phone(fields: &mut Fields, text: &str) -> Option<Phone> {
    Phone::parse(text).map_err(|problem| fields.problem("phone", problem.to_string())).ok()
}

pub(super) fn bind_worker(message: &pb::BindWorkerRequest) -> Result<BindWorker, Refusal> {
    read(|fields| {
        let mp_code = read_code(fields, "mp_code", &message.mp_code);
        let id_no = IdNo::parse(&message.id_no);
        let id_no = id_no.map_err(|problem| fields.problem("id_no", problem.to_string())).ok();
        let name = match message.name.trim() {
            "" => None,
            name => fields.text("name", name, MAX_NAME),
        };
        let proof = if message.phone_code.is_empty() {
            let phone = read_phone(fields, &message.phone);
            let code = SmsCode::parse(&message.sms_code);
            fields.check(code.is_some(), "sms_code", "is not 6 digits");
            phone.zip(code).map(|(phone, code)| PhoneProof::Sms { phone, code })
        } else {
            read_code(fields, "phone_code", &message.phone_code)
                .map(|phone_code| PhoneProof::Wechat { phone_code })
        };
        Some(BindWorker { mp_code: mp_code?, proof: proof?, id_no: id_no?, name })
    })
}

pub(super) fn unbind_worker(
    message: &pb::UnbindWorkerRequest,
) -> Result<(WorkerId, String), Refusal> {
    read(|fields| {
        let worker = fields.parse("worker_id", &message.worker_id);
        let reason = fields.text("reason", &message.reason, MAX_REASON);
        Some((worker?, reason?))
    })
}
