use proto::access_grant::v1::{ListGrantsRequest, ResyncGrantRequest};
use serde::Deserialize;
use types::ErrorCode;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Items, answer};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Id, Listed, Query, id, wire};
use crate::routes::shown::Grant;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_access_grants)).routes(routes!(resync_access_grant))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Option<Uuid>,
    ticket_id: Option<Uuid>,
    daily_ticket_id: Option<Uuid>,
    worker_id: Option<Uuid>,
    area_id: Option<Uuid>,
    /// `PENDING_SYNC`, SYNCED, `SYNC_FAILED` or REVOKED.
    status: Option<String>,
}

#[utoipa::path(
    get,
    path = "/api/admin/access-grants",
    tag = "access grants",
    params(Listed<Filter>),
    responses((status = 200, body = Enveloped<Items<Grant>>))
)]
async fn list_access_grants(
    call: Call,
    Query(listed): Query<Listed<Filter>>,
) -> Answer<Items<Grant>> {
    let (filter, page) = (listed.filter, listed.paging.page()?);
    let message = ListGrantsRequest {
        site_id: id(filter.site_id),
        ticket_id: id(filter.ticket_id),
        daily_ticket_id: id(filter.daily_ticket_id),
        worker_id: id(filter.worker_id),
        area_id: id(filter.area_id),
        status: filter.status.unwrap_or_default(),
        page: Some(wire(page)),
    };
    let found = ask!(call.access_grant.list_grants(message)).await?;
    let grants = Grant::named(found.grants, &call).await;
    answer(Items::new(grants, found.total, page))
}

/// Queues a grant for another push to the door, and another look at what it holds.
#[utoipa::path(
    post,
    path = "/api/admin/access-grants/{grant_id}/resync",
    tag = "access grants",
    params(("grant_id" = Uuid, Path)),
    responses((status = 200, body = Enveloped<Grant>))
)]
async fn resync_access_grant(call: Call, Id(grant_id): Id) -> Answer<Grant> {
    let request = call.command(ResyncGrantRequest { grant_id });
    let queued = call.access_grant().resync_grant(request).await?.into_inner();
    answer(queued.grant.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}
