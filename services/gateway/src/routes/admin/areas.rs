use proto::directory::v1::{
    self as directory, ChangeAreaRequest, CreateAreaRequest, ListAreasRequest,
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
use crate::request::{Command, Id, Listed, Query, id};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_areas, create_area)).routes(routes!(change_area))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Option<Uuid>,
    #[param(inline)]
    status: Option<AreaStatus>,
    /// Part of a name.
    keyword: Option<String>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum AreaStatus {
    Active,
    Inactive,
}

impl AreaStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
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
    /// What the door system calls the group.
    #[schema(max_length = 60)]
    access_group_name: Option<String>,
    #[schema(max_length = 200)]
    description: Option<String>,
}

/// What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedArea {
    /// As it was read.
    #[schema(minimum = 1)]
    version: u64,
    #[schema(min_length = 1)]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 64)]
    access_group_id: Option<String>,
    #[schema(max_length = 60)]
    access_group_name: Option<String>,
    #[schema(max_length = 200)]
    description: Option<String>,
    status: Option<AreaStatus>,
}

#[derive(Serialize, ToSchema)]
struct Area {
    area_id: String,
    site_id: String,
    name: String,
    access_group_id: String,
    access_group_name: String,
    description: String,
    /// ACTIVE or INACTIVE.
    status: String,
    version: u64,
}

impl From<directory::Area> for Area {
    fn from(area: directory::Area) -> Self {
        Self {
            area_id: area.area_id,
            site_id: area.site_id,
            name: area.name,
            access_group_id: area.access_group_id,
            access_group_name: area.access_group_name,
            description: area.description,
            status: area.status,
            version: area.version,
        }
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
    let mut areas = ask!(call.directory.list_areas(message)).await?.areas;
    let Filter { status, keyword, .. } = listed.filter;
    areas.retain(|area| {
        named(&area.name, keyword.as_deref())
            && status.is_none_or(|status| status.as_str() == area.status)
    });
    answer(Items::page_of(areas, page))
}

#[utoipa::path(
    post,
    path = "/api/admin/areas",
    tag = "areas",
    request_body = NewArea,
    responses((status = 200, body = Enveloped<Area>))
)]
async fn create_area(call: Call, Command(new): Command<NewArea>) -> Answer<Area> {
    let message = CreateAreaRequest {
        site_id: new.site_id.to_string(),
        name: new.name,
        access_group_id: new.access_group_id,
        access_group_name: new.access_group_name.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
    };
    let created = call.directory().create_area(call.command(message)).await?.into_inner();
    answer(created.area.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}

/// An area out of use stays in old tickets and is on no new one.
#[utoipa::path(
    patch,
    path = "/api/admin/areas/{area_id}",
    tag = "areas",
    params(("area_id" = Uuid, Path)),
    request_body = ChangedArea,
    responses((status = 200, body = Enveloped<Area>))
)]
async fn change_area(
    call: Call,
    Id(area_id): Id,
    Command(changed): Command<ChangedArea>,
) -> Answer<Area> {
    let message = ChangeAreaRequest {
        area_id,
        version: changed.version,
        name: changed.name.unwrap_or_default(),
        access_group_id: changed.access_group_id.unwrap_or_default(),
        status: changed.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        access_group_name: changed.access_group_name,
        description: changed.description,
    };
    let changed = call.directory().change_area(call.command(message)).await?.into_inner();
    answer(changed.area.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}
