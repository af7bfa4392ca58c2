use proto::directory::v1::{
    self as directory, ChangeContractorRequest, CreateContractorRequest, ListContractorsRequest,
    SiteIds,
};
use serde::{Deserialize, Serialize};
use types::ErrorCode;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Items, answer, named};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Id, Listed, Query, id, ids};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_contractors, create_contractor))
        .routes(routes!(change_contractor))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Option<Uuid>,
    /// Part of a name.
    keyword: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewContractor {
    #[schema(min_length = 1)]
    name: String,
    #[schema(min_items = 1)]
    site_ids: Vec<Uuid>,
}

/// What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedContractor {
    /// As it was read.
    #[schema(minimum = 1)]
    version: u64,
    #[schema(min_length = 1)]
    name: Option<String>,
    /// All of them; a site that accounts of the contractor reach cannot be left out.
    site_ids: Option<Vec<Uuid>>,
}

#[derive(Serialize, ToSchema)]
struct Contractor {
    contractor_id: String,
    name: String,
    site_ids: Vec<String>,
    version: u64,
}

impl From<directory::Contractor> for Contractor {
    fn from(contractor: directory::Contractor) -> Self {
        let directory::Contractor { contractor_id, name, site_ids, version } = contractor;
        Self { contractor_id, name, site_ids, version }
    }
}

/// The contractors on the caller's sites, or on one of them.
#[utoipa::path(
    get,
    path = "/api/admin/contractors",
    tag = "contractors",
    params(Listed<Filter>),
    responses((status = 200, body = Enveloped<Items<Contractor>>))
)]
async fn list_contractors(
    call: Call,
    Query(listed): Query<Listed<Filter>>,
) -> Answer<Items<Contractor>> {
    let page = listed.paging.page()?;
    let message = ListContractorsRequest { site_id: id(listed.filter.site_id) };
    let found = ask!(call.directory.list_contractors(message)).await?;
    let mut contractors = found.contractors;
    contractors.retain(|contractor| named(&contractor.name, listed.filter.keyword.as_deref()));
    answer(Items::page_of(contractors, page))
}

#[utoipa::path(
    post,
    path = "/api/admin/contractors",
    tag = "contractors",
    request_body = NewContractor,
    responses((status = 200, body = Enveloped<Contractor>))
)]
async fn create_contractor(call: Call, Command(new): Command<NewContractor>) -> Answer<Contractor> {
    let message = CreateContractorRequest { name: new.name, site_ids: ids(&new.site_ids) };
    let created = call.directory().create_contractor(call.command(message)).await?.into_inner();
    answer(created.contractor.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}

#[utoipa::path(
    patch,
    path = "/api/admin/contractors/{contractor_id}",
    tag = "contractors",
    params(("contractor_id" = Uuid, Path)),
    request_body = ChangedContractor,
    responses((status = 200, body = Enveloped<Contractor>))
)]
async fn change_contractor(
    call: Call,
    Id(contractor_id): Id,
    Command(changed): Command<ChangedContractor>,
) -> Answer<Contractor> {
    let message = ChangeContractorRequest {
        contractor_id,
        version: changed.version,
        name: changed.name.unwrap_or_default(),
        sites: changed.site_ids.map(|site_ids| SiteIds { site_ids: ids(&site_ids) }),
    };
    let changed = call.directory().change_contractor(call.command(message)).await?.into_inner();
    answer(changed.contractor.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}
