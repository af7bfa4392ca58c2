//! Messages to commands: every bad field is named at once, and never with its value.

mod binding;
mod roster;

use std::fmt::Display;
use std::str::FromStr;

use chrono::NaiveTime;
use proto::directory::v1 as pb;
use service::{Fields, Refusal};
use types::{ContractorId, Role, SiteId, SiteZone, TimeWindow, WorkerId, parse_time};
use uuid::Uuid;
use vault::Phone;

use crate::app::{CheckReferences, CreateAccount, CreateArea, CreateSite, Purpose};
use crate::domain::{FamilyId, MIN_PASSWORD_CHARS, Settings, is_username};

pub(super) use binding::{bind_worker, check_binding};
pub(super) use roster::{
    export_workers, list_roster_changes, list_roster_readings, search_workers,
};

const MAX_NAME: usize = 60;
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

pub(super) fn create_site(message: pb::CreateSiteRequest) -> Result<CreateSite, Refusal> {
    read(|fields| {
        let name = fields.text("name", &message.name, MAX_NAME);
        let zone = match message.time_zone.as_str() {
            "" => Some(SiteZone::default()),
            zone => fields.parse("time_zone", zone),
        };
        let settings = settings(fields, message.settings.unwrap_or_default());
        Some(CreateSite { name: name?, zone: zone?, settings })
    })
}

/// What is not given is the default.
fn settings(fields: &mut Fields, given: pb::SiteSettings) -> Settings {
    let usual = Settings::default();
    let pb::SiteSettings {
        access_start_time,
        access_end_time,
        training_deadline_time,
        max_span_days,
        video_rule,
        check_min_seconds,
        check_max_seconds,
        check_answer_seconds,
    } = given;
    let start = time(fields, "settings.access_start_time", &access_start_time, usual.access.start);
    let end = match access_end_time.as_str() {
        "24:00" => NaiveTime::MIN,
        text => time(fields, "settings.access_end_time", text, usual.access.end),
    };
    let longest = Settings::LONGEST_CHECK_SECONDS;
    let least = number(
        fields,
        "settings.check_min_seconds",
        check_min_seconds,
        usual.check_seconds.0,
        longest,
    );
    let most = number(
        fields,
        "settings.check_max_seconds",
        check_max_seconds,
        usual.check_seconds.1,
        longest,
    );
    fields.check(least <= most, "settings.check_max_seconds", "is below check_min_seconds");
    let answer = usual.check_answer_seconds;
    Settings {
        access: TimeWindow { start, end },
        training_deadline: time(
            fields,
            "settings.training_deadline_time",
            &training_deadline_time,
            usual.training_deadline,
        ),
        max_span_days: number(
            fields,
            "settings.max_span_days",
            max_span_days,
            usual.max_span_days,
            Settings::MAX_SPAN_DAYS,
        ),
        video_rule: fields
            .parse_optional("settings.video_rule", &video_rule)
            .unwrap_or(usual.video_rule),
        check_seconds: (least, most),
        check_answer_seconds: number(
            fields,
            "settings.check_answer_seconds",
            check_answer_seconds,
            answer,
            longest,
        ),
    }
}

fn time(fields: &mut Fields, field: &str, text: &str, usual: NaiveTime) -> NaiveTime {
    if text.is_empty() {
        return usual;
    }
    parse_time(text).unwrap_or_else(|problem| {
        fields.problem(field, problem.to_string());
        usual
    })
}

/// 0 is not given.
fn number(fields: &mut Fields, field: &str, given: u32, usual: u32, most: u32) -> u32 {
    fields.check(given <= most, field, &format!("is above {most}"));
    if given == 0 { usual } else { given }
}

pub(super) fn create_contractor(
    message: &pb::CreateContractorRequest,
) -> Result<(String, Vec<SiteId>), Refusal> {
    read(|fields| {
        let name = fields.text("name", &message.name, MAX_NAME);
        let sites = fields.parse_list("site_ids", &message.site_ids);
        Some((name?, sites))
    })
}

pub(super) fn create_area(message: &pb::CreateAreaRequest) -> Result<CreateArea, Refusal> {
    read(|fields| {
        let site = fields.parse("site_id", &message.site_id);
        let name = fields.text("name", &message.name, MAX_NAME);
        let access_group = fields.parse("access_group_id", &message.access_group_id);
        Some(CreateArea { site: site?, name: name?, access_group: access_group? })
    })
}

pub(super) fn create_account(message: pb::CreateAccountRequest) -> Result<CreateAccount, Refusal> {
    let pb::CreateAccountRequest { username, password, role, site_ids, contractor_id } = message;
    read(|fields| {
        let username = username.trim().to_lowercase();
        fields.check(is_username(&username), "username", "is not 3 to 32 of a-z, 0-9 and . _ -");
        let chars = password.chars().count();
        fields.check(chars >= MIN_PASSWORD_CHARS, "password", "is shorter than 12 characters");
        fields.check(chars <= MAX_PASSWORD_CHARS, "password", "is too long");
        let role: Option<Role> = fields.parse("role", &role);
        let sites = fields.parse_list("site_ids", &site_ids);
        let contractor: Option<ContractorId> =
            fields.parse_optional("contractor_id", &contractor_id);
        match role {
            Some(Role::ContractorAdmin) => {
                fields.check(!contractor_id.is_empty(), "contractor_id", "is required");
                fields.check(!site_ids.is_empty(), "site_ids", "is required");
            }
            Some(Role::SysAdmin) => {
                fields.check(contractor_id.is_empty(), "contractor_id", "is not for this role");
                fields.check(
                    site_ids.is_empty(),
                    "site_ids",
                    "is not for this role, which has every site",
                );
            }
            None => {}
        }
        Some(CreateAccount { username, password, role: role?, sites, contractor })
    })
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

pub(super) fn unbind_worker(
    message: &pb::UnbindWorkerRequest,
) -> Result<(WorkerId, String), Refusal> {
    read(|fields| {
        let worker = fields.parse("worker_id", &message.worker_id);
        let reason = fields.text("reason", &message.reason, 200);
        Some((worker?, reason?))
    })
}
