use chrono::{DateTime, Utc};
use proto::access_grant::v1::ExplainRequest;
use proto::directory::v1::ListAreasRequest;
use serde::Deserialize;
use types::ErrorCode;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, answer};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::Query;
use crate::routes::shown::Explanation;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(explain))
}

#[derive(Deserialize, IntoParams)]
struct Question {
    worker_id: Uuid,
    area_id: Uuid,
    /// Now, in site time, when absent.
    at: Option<DateTime<Utc>>,
    /// The area's; looked up when absent.
    site_id: Option<Uuid>,
}

/// Would this worker pass at this area at that instant, and if not, why, and what mends it?
#[utoipa::path(
    get,
    path = "/api/admin/explain",
    tag = "explain",
    params(Question),
    responses((status = 200, body = Enveloped<Explanation>))
)]
async fn explain(call: Call, Query(question): Query<Question>) -> Answer<Explanation> {
    let area_id = question.area_id.to_string();
    let site_id = match question.site_id {
        Some(site_id) => site_id.to_string(),
        None => site_of(&call, &area_id).await?,
    };
    let at = question.at.unwrap_or_else(|| call.gateway.shell.clock.now());
    let message = ExplainRequest {
        site_id,
        worker_id: question.worker_id.to_string(),
        area_id,
        at: Some(proto::timestamp(at)),
    };
    let explained = ask!(call.access_grant.explain(message)).await?;
    answer(Explanation::new(explained, call.language))
}

/// The site of an area that is on one of the caller's; it is looked at from here on.
async fn site_of(call: &Call, area_id: &str) -> Result<String, Failure> {
    let everywhere = ListAreasRequest { site_id: String::new() };
    let found = ask!(call.directory.list_areas(everywhere)).await?;
    let area = found.areas.into_iter().find(|area| area.area_id == area_id);
    let site_id = area.map(|area| area.site_id).ok_or_else(|| Failure::new(ErrorCode::NotFound))?;
    call.looks_at(&site_id).await?;
    Ok(site_id)
}
