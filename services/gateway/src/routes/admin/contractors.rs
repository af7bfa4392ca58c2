use proto::directory::v1::{self as directory, CreateContractorRequest, ListContractorsRequest};
use serde::{Deserialize, Serialize};
use types::ErrorCode;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Items, answer};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Listed, Query, id, ids};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_contractors, create_contractor))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Option<Uuid>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewContractor {
    #[schema(min_length = 1)]
    name: String,
    #[schema(min_items = 1)]
    site_ids: Vec<Uuid>,
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
    answer(Items::page_of(found.contractors, page))
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
