//! Messages to commands: every bad field is named at once, and never with its value.

mod accounts;
mod binding;
mod places;
mod roster;
mod settings;

use std::fmt::Display;
use std::str::FromStr;

use proto::common::v1::PageRequest;
use proto::directory::v1 as pb;
use service::{Fields, Refusal};
use types::{Page, WorkerId};
use uuid::Uuid;
use vault::{IdNo, Phone};

use crate::app::{BadName, CheckReferences, Line, MatchWorkers, Purpose};
use crate::domain::FamilyId;

pub(super) use accounts::{
    change_account, change_password, create_account, list_accounts, reset_password,
};
pub(super) use binding::{bind_worker, check_binding, send_sms_code};
pub(super) use places::{
    change_area, change_contractor, change_site, create_area, create_contractor, create_site,
};
pub(super) use roster::{
    export_workers, list_roster_changes, list_roster_readings, search_workers,
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

fn read_phone(fields: &mut Fields, text: &str) -> Option<Phone> {
    Phone::parse(text).map_err(|problem| fields.problem("phone", problem.to_string())).ok()
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

/// What is wrong with one line is its outcome, not the request's fault.
pub(super) fn match_workers(message: pb::MatchWorkersRequest) -> Result<MatchWorkers, Refusal> {
    let pb::MatchWorkersRequest { site_id, contractor_id, lines } = message;
    read(|fields| {
        let site = fields.parse("site_id", &site_id);
        let contractor = fields.parse_optional("contractor_id", &contractor_id);
        fields.check(!lines.is_empty(), "lines", "is required");
        fields.check(
            lines.len() <= MAX_WORKERS,
            "lines",
            &format!("holds more than {MAX_WORKERS}"),
        );
        let lines = lines.iter().map(line).collect();
        Some(MatchWorkers { site: site?, contractor, lines })
    })
}

fn line(line: &pb::WorkerLine) -> Line {
    let given = |text: &str| !text.trim().is_empty();
    let name = given(&line.name).then(|| {
        let name = line.name.trim();
        let fits = name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control);
        fits.then(|| name.to_owned()).ok_or(BadName)
    });
    Line {
        name,
        id_no: given(&line.id_no).then(|| IdNo::parse(&line.id_no)),
        phone: given(&line.phone).then(|| Phone::parse(&line.phone)),
    }
}
