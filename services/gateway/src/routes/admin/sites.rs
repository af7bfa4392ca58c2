use proto::directory::v1::{self as directory, CreateSiteRequest, ListSitesRequest};
use serde::{Deserialize, Serialize};
use types::ErrorCode;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, Enveloped, Items, answer};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Listed, Query, TimeOfDay, Unfiltered};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_sites, create_site))
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

/// What is absent takes the system's default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSettings {
    access_start_time: Option<TimeOfDay>,
    access_end_time: Option<TimeOfDay>,
    training_deadline_time: Option<TimeOfDay>,
    max_span_days: Option<u32>,
    /// ALL or ANY.
    video_rule: Option<String>,
    check_min_seconds: Option<u32>,
    check_max_seconds: Option<u32>,
    check_answer_seconds: Option<u32>,
}

impl From<NewSettings> for directory::SiteSettings {
    fn from(new: NewSettings) -> Self {
        let time = |time: Option<TimeOfDay>| time.map(|TimeOfDay(text)| text).unwrap_or_default();
        Self {
            access_start_time: time(new.access_start_time),
            access_end_time: time(new.access_end_time),
            training_deadline_time: time(new.training_deadline_time),
            max_span_days: new.max_span_days.unwrap_or_default(),
            video_rule: new.video_rule.unwrap_or_default(),
            check_min_seconds: new.check_min_seconds.unwrap_or_default(),
            check_max_seconds: new.check_max_seconds.unwrap_or_default(),
            check_answer_seconds: new.check_answer_seconds.unwrap_or_default(),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct Site {
    site_id: String,
    name: String,
    time_zone: String,
    settings: Settings,
    version: u64,
}

#[derive(Serialize, ToSchema)]
struct Settings {
    access_start_time: String,
    access_end_time: String,
    training_deadline_time: String,
    max_span_days: u32,
    video_rule: String,
    check_min_seconds: u32,
    check_max_seconds: u32,
    check_answer_seconds: u32,
}

impl From<directory::Site> for Site {
    fn from(site: directory::Site) -> Self {
        let settings = site.settings.unwrap_or_default();
        Self {
            site_id: site.site_id,
            name: site.name,
            time_zone: site.time_zone,
            settings: Settings {
                access_start_time: settings.access_start_time,
                access_end_time: settings.access_end_time,
                training_deadline_time: settings.training_deadline_time,
                max_span_days: settings.max_span_days,
                video_rule: settings.video_rule,
                check_min_seconds: settings.check_min_seconds,
                check_max_seconds: settings.check_max_seconds,
                check_answer_seconds: settings.check_answer_seconds,
            },
            version: site.version,
        }
    }
}

/// The sites the caller may touch.
#[utoipa::path(
    get,
    path = "/api/admin/sites",
    tag = "sites",
    params(Listed<Unfiltered>),
    responses((status = 200, body = Enveloped<Items<Site>>))
)]
async fn list_sites(call: Call, Query(listed): Query<Listed<Unfiltered>>) -> Answer<Items<Site>> {
    let page = listed.paging.page()?;
    let found = ask!(call.directory.list_sites(ListSitesRequest {})).await?;
    answer(Items::page_of(found.sites, page))
}

/// Makes a site. Access tokens name sites: refresh yours to touch the new one.
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
    answer(created.site.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}
