//! Lists of workers as files.

use std::collections::HashMap;

use axum::response::Response;
use proto::directory::v1::{ExportWorkersRequest, ExportWorkersResponse};
use serde::Deserialize;
use sheets::Sheet;
use types::Language;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::instant;
use crate::call::{Call, Shared};
use crate::failure::Failure;
use crate::request::{Command, id};
use crate::workbook;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(export_workers))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Export {
    site_id: Uuid,
    contractor_id: Option<Uuid>,
    /// A name, or a whole phone or identity number.
    keyword: Option<String>,
    /// `false`: those who are still to be bound.
    bound: Option<bool>,
}

/// Whom a search would find, as a workbook; numbers are masked. It is recorded who took it.
#[utoipa::path(
    post,
    path = "/api/admin/workers/export",
    tag = "workers",
    request_body = Export,
    responses((
        status = 200,
        content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        description = "The workbook"
    ))
)]
async fn export_workers(call: Call, Command(export): Command<Export>) -> Result<Response, Failure> {
    let message = ExportWorkersRequest {
        site_id: export.site_id.to_string(),
        contractor_id: id(export.contractor_id),
        keyword: export.keyword.unwrap_or_default(),
        bound: export.bound.map(|bound| bound.to_string()).unwrap_or_default(),
    };
    let exported = call.directory().export_workers(call.command(message)).await?.into_inner();
    workbook::file("workers", sheets_of(&exported, call.language))
}

fn sheets_of(exported: &ExportWorkersResponse, language: Language) -> Vec<Sheet> {
    let contractors: HashMap<&str, &str> = exported
        .contractors
        .iter()
        .map(|contractor| (contractor.contractor_id.as_str(), contractor.name.as_str()))
        .collect();
    let (head, yes, no) = words(language);
    let mut workers = Sheet::new("workers", &head);
    for worker in &exported.workers {
        let contractor =
            contractors.get(worker.contractor_id.as_str()).copied().unwrap_or_default();
        let bound = if worker.bound { yes } else { no };
        workers.row([
            &worker.name,
            &worker.phone_masked,
            &worker.id_no_masked,
            contractor,
            &worker.trade,
            &worker.team,
            bound,
        ]);
    }
    let site = match language {
        Language::ZhCn => "工地",
        Language::En => "site",
    };
    let (read, made) = (instant(exported.roster_synced_at), instant(exported.exported_at));
    vec![workers, workbook::about((site, &exported.site_name), read, made, language)]
}

/// What heads the columns, and the words for bound and not bound.
fn words(language: Language) -> ([&'static str; 7], &'static str, &'static str) {
    match language {
        Language::ZhCn => (
            ["姓名", "手机号", "身份证号", "施工单位", "工种", "班组", "微信绑定"],
            "已绑定",
            "未绑定",
        ),
        Language::En => (
            ["name", "phone", "identity number", "contractor", "trade", "team", "WeChat"],
            "bound",
            "not bound",
        ),
    }
}
