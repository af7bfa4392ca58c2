mod settings;

use proto::directory::v1::{
    self as directory, ChangeSiteRequest, CreateSiteRequest, GetSiteRequest, ListSitesRequest,
};
use serde::{Deserialize, Serialize};
use types::{ErrorCode, Role};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, Enveloped, Items, answer, named};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Id, Listed, Query};
use settings::{NewSettings, Settings};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_sites, create_site))
        .routes(routes!(get_site, change_site))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSite {
    #[schema(min_length = 1)]
    name: String,
    /// IANA name; Asia/Shanghai when absent.
    time_zone: Option<String>,
    settings: Option<NewSettings>,
}

/// What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedSite {
    /// As it was read.
    #[schema(minimum = 1)]
    version: u64,
    #[schema(min_length = 1)]
    name: Option<String>,
    /// IANA name.
    time_zone: Option<String>,
    settings: Option<NewSettings>,
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    /// Part of a name.
    keyword: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Site {
    site_id: String,
    name: String,
    time_zone: String,
    settings: Settings,
    version: u64,
}

impl From<directory::Site> for Site {
    fn from(site: directory::Site) -> Self {
        Self {
            site_id: site.site_id,
            name: site.name,
            time_zone: site.time_zone,
            settings: site.settings.unwrap_or_default().into(),
            version: site.version,
        }
    }
}

/// The sites the caller may touch.
#[utoipa::path(
    get,
    path = "/api/admin/sites",
    tag = "sites",
    params(Listed<Filter>),
    responses((status = 200, body = Enveloped<Items<Site>>))
)]
async fn list_sites(call: Call, Query(listed): Query<Listed<Filter>>) -> Answer<Items<Site>> {
    let page = listed.paging.page()?;
    let mut sites = ask!(call.directory.list_sites(ListSitesRequest {})).await?.sites;
    sites.retain(|site| named(&site.name, listed.filter.keyword.as_deref()));
    answer(Items::page_of(sites, page))
}

/// Makes a site. Whoever manages sites touches it at once, through another gateway within a minute.
#[utoipa::path(
    post,
    path = "/api/admin/sites",
    tag = "sites",
    request_body = NewSite,
    responses((status = 200, body = Enveloped<Site>))
)]
async fn create_site(call: Call, Command(new): Command<NewSite>) -> Answer<Site> {
    let message = CreateSiteRequest {
        name: new.name,
        time_zone: new.time_zone.unwrap_or_default(),
        settings: new.settings.map(Into::into),
    };
    let created = call.directory().create_site(call.command(message)).await?.into_inner();
    call.gateway.sign_ins.forget_role(Role::SysAdmin);
    answer(created.site.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}

#[utoipa::path(
    get,
    path = "/api/admin/sites/{site_id}",
    tag = "sites",
    params(("site_id" = Uuid, Path)),
    responses((status = 200, body = Enveloped<Site>))
)]
async fn get_site(call: Call, Id(site_id): Id) -> Answer<Site> {
    call.looks_at(&site_id).await?;
    let found = ask!(call.directory.get_site(GetSiteRequest { site_id })).await?;
    answer(found.site.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}

/// Changes a site or its settings. Tickets keep the settings they were made with.
#[utoipa::path(
    patch,
    path = "/api/admin/sites/{site_id}",
    tag = "sites",
    params(("site_id" = Uuid, Path)),
    request_body = ChangedSite,
    responses((status = 200, body = Enveloped<Site>))
)]
async fn change_site(
    call: Call,
    Id(site_id): Id,
    Command(changed): Command<ChangedSite>,
) -> Answer<Site> {
    let message = ChangeSiteRequest {
        site_id,
        version: changed.version,
        name: changed.name.unwrap_or_default(),
        time_zone: changed.time_zone.unwrap_or_default(),
        settings: changed.settings.map(Into::into),
    };
    let changed = call.directory().change_site(call.command(message)).await?.into_inner();
    answer(changed.site.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}
