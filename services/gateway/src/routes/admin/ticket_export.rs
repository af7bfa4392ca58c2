use std::collections::HashMap;

use axum::response::Response;
use proto::common::v1::PageRequest;
use proto::directory::v1::WorkerRow;
use proto::ticket::v1::{
    AccessCounts, DailyTicket, ExportTicketRequest, ExportedDay, ExportedWorker, Ticket,
};
use types::{ErrorCode, Language, Page, Permission, SiteZone};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::instant;
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::Id;
use crate::workbook;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(export_work_ticket))
}

/// A workbook of how far each person is on each day, and of how old the roster is. Identity numbers and phones are masked; names stand only for who
/// may read workers.
#[utoipa::path(
    get,
    path = "/api/admin/work-tickets/{ticket_id}/export",
    tag = "work tickets",
    params(("ticket_id" = uuid::Uuid, Path)),
    responses((
        status = 200,
        content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        description = "The workbook",
    ))
)]
async fn export_work_ticket(call: Call, Id(ticket_id): Id) -> Result<Response, Failure> {
    // Put together in memory, as uploads are held.
    let Ok(_room) = call.gateway.upload_room.try_acquire() else {
        return Err(Failure::new(ErrorCode::TooManyRequests));
    };
    let (ticket, workers) = whole(&call, &ticket_id).await?;
    let names = if call.caller.may(Permission::WorkerRead) {
        let names = call.names(workers.iter().map(|worker| worker.worker_id.clone())).await;
        // A list to keep is of no use without its people.
        if names.is_empty() && !workers.is_empty() {
            return Err(Failure(
                service::Refusal::new(ErrorCode::UpstreamUnavailable).data("upstream", "directory"),
            ));
        }
        names
    } else {
        HashMap::new()
    };
    let language = call.language;
    let roster_synced_at = call.roster_synced_at(&ticket.site_id).await;
    let now = Some(call.gateway.shell.clock.now());
    let written = tokio::task::spawn_blocking(move || {
        let what = match language {
            Language::ZhCn => "作业票",
            Language::En => "Work ticket",
        };
        let about = workbook::about((what, &ticket.title), roster_synced_at, now, language);
        let sheets = vec![sheet(&ticket, &workers, &names, language), about];
        workbook::file(&format!("work-ticket-{ticket_id}"), sheets)
    });
    written.await.map_err(|err| {
        tracing::error!(error = %err, "writing a workbook panicked");
        Failure::new(ErrorCode::Internal)
    })?
}

/// How often an export is begun that finds its ticket changed between two pages.
const ATTEMPTS: usize = 3;

/// The ticket with everybody it names or named, some at a time: no message holds them all. Pages of two versions are of
/// two tickets: then it is begun again, and leaves another record of that.
async fn whole(call: &Call, ticket_id: &str) -> Result<(Ticket, Vec<ExportedWorker>), Failure> {
    for _ in 0..ATTEMPTS {
        if let Some(whole) = of_one_version(call, ticket_id).await? {
            return Ok(whole);
        }
    }
    Err(Failure::new(ErrorCode::VersionConflict))
}

/// `None` when the ticket was changed meanwhile.
async fn of_one_version(
    call: &Call,
    ticket_id: &str,
) -> Result<Option<(Ticket, Vec<ExportedWorker>)>, Failure> {
    let mut version = None;
    let mut workers = Vec::new();
    for page in 1.. {
        let message = ExportTicketRequest {
            ticket_id: ticket_id.to_owned(),
            page: Some(PageRequest { page, page_size: Page::MAX_SIZE }),
        };
        let part = ask!(call.ticket.export_ticket(message)).await?;
        let ticket = part.ticket.ok_or_else(|| Failure::new(ErrorCode::Internal))?;
        if *version.get_or_insert(ticket.version) != ticket.version {
            return Ok(None);
        }
        let last = part.workers.is_empty()
            || workers.len() + part.workers.len()
                >= usize::try_from(part.total).unwrap_or_default();
        workers.extend(part.workers);
        if last {
            return Ok(Some((ticket, workers)));
        }
    }
    Err(Failure::new(ErrorCode::Internal))
}

const HEADINGS_ZH: [&str; 12] = [
    "日期",
    "作业票状态",
    "姓名",
    "身份证号",
    "手机号",
    "绑定",
    "培训状态",
    "完成时间",
    "已授权",
    "门禁已同步",
    "门禁未同步",
    "门禁已撤销",
];
const HEADINGS_EN: [&str; 12] = [
    "Date",
    "Day",
    "Name",
    "Identity number",
    "Phone",
    "Bound",
    "Training",
    "Completed at",
    "Authorized",
    "Grants synced",
    "Grants not synced",
    "Grants revoked",
];

/// One row for each person and day that names them, person by person.
fn sheet(
    ticket: &Ticket,
    workers: &[ExportedWorker],
    names: &HashMap<String, WorkerRow>,
    language: Language,
) -> sheets::Sheet {
    let (name, headings) = match language {
        Language::ZhCn => ("作业票", &HEADINGS_ZH),
        Language::En => ("Work ticket", &HEADINGS_EN),
    };
    let zone = ticket.time_zone.parse::<SiteZone>().unwrap_or_default();
    let days: HashMap<&str, &DailyTicket> =
        ticket.daily_tickets.iter().map(|day| (day.daily_ticket_id.as_str(), day)).collect();
    let mut sheet = sheets::Sheet::new(name, headings);
    for worker in workers {
        let person = names.get(&worker.worker_id);
        for of_day in &worker.days {
            let Some(day) = days.get(of_day.daily_ticket_id.as_str()) else { continue };
            let AccessCounts { pending_sync, synced, sync_failed, revoked } =
                of_day.grants.unwrap_or_default();
            let cells = [
                day.date.clone(),
                said(&day.status, language).to_owned(),
                person.map(|row| row.name.clone()).unwrap_or_default(),
                person.map(|row| row.id_no_masked.clone()).unwrap_or_default(),
                person.map(|row| row.phone_masked.clone()).unwrap_or_default(),
                yes(worker.bound, language).to_owned(),
                said(&of_day.training_status, language).to_owned(),
                completed_at(of_day, zone),
                yes(of_day.authorized, language).to_owned(),
                synced.to_string(),
                (pending_sync + sync_failed).to_string(),
                revoked.to_string(),
            ];
            sheet.row(cells);
        }
    }
    sheet
}

/// On the site's clock.
fn completed_at(day: &ExportedDay, zone: SiteZone) -> String {
    let Some(at) = instant(day.completed_at) else { return String::new() };
    format!("{} {}", zone.date_at(at), zone.time_at(at).format("%H:%M:%S"))
}

const fn yes(is: bool, language: Language) -> &'static str {
    match (is, language) {
        (true, Language::ZhCn) => "是",
        (false, Language::ZhCn) => "否",
        (true, Language::En) => "yes",
        (false, Language::En) => "no",
    }
}

/// A status in words; one that has none is written as it is.
fn said(status: &str, language: Language) -> &str {
    if language == Language::En {
        return status;
    }
    match status {
        "DRAFT" => "草稿",
        "PUBLISHED" => "已发布",
        "IN_PROGRESS" => "进行中",
        "EXPIRED" => "已过期",
        "CANCELLED" => "已取消",
        "NOT_STARTED" => "未开始",
        "IN_LEARNING" => "学习中",
        "WAITING_VERIFY" => "待核验",
        "COMPLETED" => "已完成",
        "FAILED" => "未通过",
        other => other,
    }
}
