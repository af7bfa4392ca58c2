//! Lists of workers as files.

use std::collections::HashMap;

use axum::response::Response;
use chrono::{DateTime, Utc};
use proto::directory::v1::{ExportWorkersRequest, ExportWorkersResponse};
use serde::Deserialize;
use types::Language;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::instant;
use crate::call::{Call, Shared};
use crate::failure::Failure;
use crate::request::{Command, id};
use crate::sheet::{Sheet, xlsx};

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
    xlsx("workers.xlsx", sheets(exported, call.language)).await
}

fn sheets(exported: ExportWorkersResponse, language: Language) -> Vec<Sheet> {
    let contractors: HashMap<&str, &str> = exported
        .contractors
        .iter()
        .map(|contractor| (contractor.contractor_id.as_str(), contractor.name.as_str()))
        .collect();
    let (head, yes, no) = words(language);
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for worker in &exported.workers {
        let contractor =
            contractors.get(worker.contractor_id.as_str()).copied().unwrap_or_default();
        let bound = if worker.bound { yes } else { no };
        rows.push(vec![
            worker.name.clone(),
            worker.phone_masked.clone(),
            worker.id_no_masked.clone(),
            contractor.to_owned(),
            worker.trade.clone(),
            worker.team.clone(),
            bound.to_owned(),
        ]);
    }
    let at = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
    let (site, synced, exported_at) = match language {
        Language::ZhCn => ("工地", "名册同步时间", "导出时间"),
        Language::En => ("site", "roster read at", "exported at"),
    };
    let about = vec![
        vec![site.to_owned(), exported.site_name],
        vec![synced.to_owned(), at(instant(exported.roster_synced_at))],
        vec![exported_at.to_owned(), at(instant(exported.exported_at))],
    ];
    vec![Sheet { name: "workers", rows }, Sheet { name: "about", rows: about }]
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
