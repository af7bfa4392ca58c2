//! Workers for a ticket from a list somebody has: a workbook or pasted lines. Nothing is imported here: who was found is
//! shown, and named when the ticket is made or workers are added to it.

mod lines;
mod shown;

use std::collections::HashSet;

use axum::extract::{DefaultBodyLimit, Request};
use axum::response::Response;
use bytes::Bytes;
use proto::directory::v1::{MatchWorkersRequest, MatchWorkersResponse};
use proto::ticket::v1::GetTicketRequest;
use serde::Deserialize;
use tokio::sync::SemaphorePermit;
use types::{ContractorId, ErrorCode, FieldProblem, SiteId};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use uuid::Uuid;

use self::lines::{Given, HEADINGS, from_sheet, from_text};
use self::shown::Roster;
use crate::answer::{Answer, Enveloped, answer};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Id, id};
use crate::{form, workbook};

const MAX_FILE_BYTES: usize = 2 << 20;
/// The parts around the file.
const MAX_FORM_BYTES: usize = MAX_FILE_BYTES + (64 << 10);
/// As many as a ticket may name.
const MOST_LINES: usize = 2_000;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(get_import_template))
        .routes(routes!(match_workers))
        .routes(routes!(import_workers).layer(DefaultBodyLimit::max(MAX_FORM_BYTES)))
        .routes(routes!(import_ticket_workers).layer(DefaultBodyLimit::max(MAX_FORM_BYTES)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PastedWorkers {
    site_id: Uuid,
    /// Whose people may be meant besides those of none; an administrator's own contractor when absent.
    contractor_id: Option<Uuid>,
    /// Each a name, an identity number, a phone, or several of them with spaces, tabs or commas between. At most 2,000.
    #[schema(min_items = 1, max_items = 2_000)]
    lines: Vec<String>,
}

/// `multipart/form-data`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; its parts are read one by one")]
struct RosterFile {
    site_id: Uuid,
    /// As of pasted lines.
    contractor_id: Option<Uuid>,
    /// .xlsx as the template has it, at most 2 MiB and 2,000 rows.
    #[schema(format = Binary, content_media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")]
    file: String,
}

/// `multipart/form-data`; site and contractor are the ticket's.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; its parts are read one by one")]
struct TicketRosterFile {
    /// As without a ticket.
    #[schema(format = Binary, content_media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")]
    file: String,
}

/// An empty workbook with the columns that an import reads.
#[utoipa::path(
    get,
    path = "/api/admin/work-tickets/import-template",
    tag = "work tickets",
    responses((
        status = 200,
        content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        description = "The workbook",
    ))
)]
async fn get_import_template() -> Result<Response, Failure> {
    workbook::file("workers-template", vec![sheets::Sheet::new("作业人员", &HEADINGS)])
}

/// Whom pasted lines mean. Imports nobody.
#[utoipa::path(
    post,
    path = "/api/admin/work-tickets/workers/match",
    tag = "work tickets",
    request_body = PastedWorkers,
    responses((status = 200, body = Enveloped<Roster>))
)]
async fn match_workers(call: Call, Command(pasted): Command<PastedWorkers>) -> Answer<Roster> {
    let given = from_text(&pasted.lines);
    if given.is_empty() {
        return Err(Failure::field("lines", "is required"));
    }
    let list = List {
        site_id: pasted.site_id.to_string(),
        contractor_id: id(pasted.contractor_id),
        given,
        on_ticket: HashSet::new(),
    };
    answer(list.matched(&call).await?)
}

/// Whom the rows of a workbook mean. Imports nobody.
#[utoipa::path(
    post,
    path = "/api/admin/work-tickets/workers/import",
    tag = "work tickets",
    request_body(content = RosterFile, content_type = "multipart/form-data"),
    responses((status = 200, body = Enveloped<Roster>))
)]
async fn import_workers(call: Call, request: Request) -> Answer<Roster> {
    let _room = room(&call)?;
    let mut uploaded = Uploaded::read(&call, request).await?;
    let site_id = uploaded.id::<SiteId>("site_id", true);
    let contractor_id = uploaded.id::<ContractorId>("contractor_id", false);
    let given = uploaded.rows().await?;
    let list = List { site_id, contractor_id, given, on_ticket: HashSet::new() };
    answer(list.matched(&call).await?)
}

/// The same for a ticket's site and contractor; who is on the ticket already is told apart. Imports nobody.
#[utoipa::path(
    post,
    path = "/api/admin/work-tickets/{ticket_id}/workers/import",
    tag = "work tickets",
    params(("ticket_id" = Uuid, Path)),
    request_body(content = TicketRosterFile, content_type = "multipart/form-data"),
    responses((status = 200, body = Enveloped<Roster>))
)]
async fn import_ticket_workers(call: Call, Id(ticket_id): Id, request: Request) -> Answer<Roster> {
    let _room = room(&call)?;
    let uploaded = Uploaded::read(&call, request).await?;
    let found = ask!(call.ticket.get_ticket(GetTicketRequest { ticket_id })).await?;
    let ticket = found.ticket.ok_or_else(|| Failure::new(ErrorCode::Internal))?;
    let list = List {
        given: uploaded.rows().await?,
        site_id: ticket.site_id,
        contractor_id: ticket.contractor_id,
        on_ticket: ticket.worker_ids.into_iter().collect(),
    };
    answer(list.matched(&call).await?)
}

/// A workbook is held in memory, unpacked.
fn room(call: &Call) -> Result<SemaphorePermit<'_>, Failure> {
    let room = call.gateway.upload_room.try_acquire();
    room.map_err(|_| Failure::new(ErrorCode::TooManyRequests))
}

/// What is asked of `directory`.
struct List {
    site_id: String,
    contractor_id: String,
    given: Vec<Given>,
    on_ticket: HashSet<String>,
}

impl List {
    async fn matched(self, call: &Call) -> Result<Roster, Failure> {
        let lines = self.given.iter().filter_map(|given| given.line.as_ref().ok().cloned());
        let message = MatchWorkersRequest {
            site_id: self.site_id,
            contractor_id: self.contractor_id,
            lines: lines.collect(),
        };
        let matched = if message.lines.is_empty() {
            MatchWorkersResponse::default()
        } else {
            // A command to the service: it leaves a record each time, so it is not asked twice.
            call.directory().match_workers(call.command(message)).await?.into_inner()
        };
        Ok(Roster::new(self.given, matched, &self.on_ticket, call.language))
    }
}

/// The parts of a form with a workbook.
struct Uploaded {
    texts: Vec<(String, String)>,
    file: Option<Bytes>,
    problems: Vec<FieldProblem>,
}

impl Uploaded {
    async fn read(call: &Call, request: Request) -> Result<Self, Failure> {
        let mut parts = form::open(call, request).await?;
        let mut uploaded = Self { texts: Vec::new(), file: None, problems: Vec::new() };
        while let Some(part) = parts.next_field().await.map_err(form::broken)? {
            let name = part.name().unwrap_or_default().to_owned();
            match name.as_str() {
                "file" => uploaded.file = Some(part.bytes().await.map_err(form::broken)?),
                "site_id" | "contractor_id" => {
                    uploaded.texts.push((name, part.text().await.map_err(form::broken)?));
                }
                _ => uploaded.problems.push(FieldProblem::new(name, "is unknown")),
            }
        }
        if uploaded.file.as_ref().is_none_or(Bytes::is_empty) {
            uploaded.problems.push(FieldProblem::new("file", "is required"));
        }
        if uploaded.file.as_ref().is_some_and(|file| file.len() > MAX_FILE_BYTES) {
            return Err(Failure::new(ErrorCode::TooLarge));
        }
        Ok(uploaded)
    }

    /// An id among the parts, as protobuf has it; what is wrong with it is kept.
    fn id<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        field: &str,
        required: bool,
    ) -> String {
        let given = self.texts.iter().find(|(name, text)| name == field && !text.is_empty());
        let Some((_, text)) = given else {
            if required {
                self.problems.push(FieldProblem::new(field, "is required"));
            }
            return String::new();
        };
        let text = text.clone();
        if let Err(problem) = text.parse::<T>() {
            self.problems.push(FieldProblem::new(field, problem.to_string()));
        }
        text
    }

    /// The rows of the workbook, once nothing is wrong with the parts.
    async fn rows(self) -> Result<Vec<Given>, Failure> {
        let file = match self.file {
            Some(file) if self.problems.is_empty() => file,
            _ => return Err(Failure::fields(self.problems)),
        };
        let limits = sheets::Limits { rows: MOST_LINES + 1, ..sheets::Limits::default() };
        let read = tokio::task::spawn_blocking(move || sheets::read(&file, limits)).await;
        let read = read.map_err(|err| {
            tracing::error!(error = %err, "reading a workbook panicked");
            Failure::new(ErrorCode::Internal)
        })?;
        from_sheet(read.map_err(unreadable)?)
    }
}

fn unreadable(why: sheets::Unreadable) -> Failure {
    let code = match why {
        sheets::Unreadable::NoWorkbook | sheets::Unreadable::Macros => ErrorCode::UnsupportedMedia,
        sheets::Unreadable::TooLarge => ErrorCode::TooLarge,
        sheets::Unreadable::TooManyRows(_) => {
            return Failure::field("file", &format!("holds more than {MOST_LINES} rows"));
        }
        sheets::Unreadable::NoSheet => return Failure::field("file", "holds no sheet"),
    };
    Failure(service::Refusal::new(code).field("file", why.to_string()))
}
