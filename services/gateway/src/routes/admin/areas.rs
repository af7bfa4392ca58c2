use proto::directory::v1::{self as directory, CreateAreaRequest, ListAreasRequest};
use serde::{Deserialize, Serialize};
use types::ErrorCode;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Items, answer};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Listed, Query, id};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_areas, create_area))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Option<Uuid>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewArea {
    site_id: Uuid,
    #[schema(min_length = 1)]
    name: String,
    /// The door system's name for the doors of this area: 1 to 64 visible ASCII characters.
    #[schema(min_length = 1, max_length = 64)]
    access_group_id: String,
}

#[derive(Serialize, ToSchema)]
struct Area {
    area_id: String,
    site_id: String,
    name: String,
    access_group_id: String,
    /// ACTIVE or INACTIVE.
    status: String,
    version: u64,
}

impl From<directory::Area> for Area {
    fn from(area: directory::Area) -> Self {
        let directory::Area { area_id, site_id, name, access_group_id, status, version } = area;
        Self { area_id, site_id, name, access_group_id, status, version }
    }
}

#[utoipa::path(
    get,
    path = "/api/admin/areas",
    tag = "areas",
    params(Listed<Filter>),
    responses((status = 200, body = Enveloped<Items<Area>>))
)]
async fn list_areas(call: Call, Query(listed): Query<Listed<Filter>>) -> Answer<Items<Area>> {
    let page = listed.paging.page()?;
    let message = ListAreasRequest { site_id: id(listed.filter.site_id) };
    let found = ask!(call.directory.list_areas(message)).await?;
    answer(Items::page_of(found.areas, page))
}

#[utoipa::path(
    post,
    path = "/api/admin/areas",
    tag = "areas",
    request_body = NewArea,
    responses((status = 200, body = Enveloped<Area>))
)]
async fn create_area(call: Call, Command(new): Command<NewArea>) -> Answer<Area> {
    let NewArea { site_id, name, access_group_id } = new;
    let message = CreateAreaRequest { site_id: site_id.to_string(), name, access_group_id };
    let created = call.directory().create_area(call.command(message)).await?.into_inner();
    answer(created.area.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}
