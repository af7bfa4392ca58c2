use axum::extract::multipart::Multipart;
use axum::extract::{DefaultBodyLimit, Request};
use chrono::{DateTime, Utc};
use proto::training::v1::{
    self as training, AddVideoRequest, GetPlayUrlRequest, ListVideosRequest,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use types::{ErrorCode, FieldProblem, SiteId};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Items, answer, instant};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::form;
use crate::request::{Id, Listed, Query};
use crate::routes::mp::public_url;

const MAX_VIDEO_BYTES: usize = 50 << 20;
/// The parts around the file.
const MAX_FORM_BYTES: usize = MAX_VIDEO_BYTES + (64 << 10);
const UPLOAD_PATIENCE: Duration = Duration::from_secs(55);

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_videos))
        .routes(routes!(add_video).layer(DefaultBodyLimit::max(MAX_FORM_BYTES)))
        .routes(routes!(get_play_url))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Uuid,
}

/// `multipart/form-data`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; its parts are read one by one")]
struct NewVideo {
    title: String,
    site_id: Uuid,
    /// MP4, at most 50 MiB.
    #[schema(format = Binary, content_media_type = "video/mp4")]
    file: String,
}

#[derive(Serialize, ToSchema)]
struct Video {
    video_id: String,
    site_id: String,
    title: String,
    duration_sec: u32,
    /// ACTIVE or INACTIVE.
    status: String,
    version: u64,
}

impl From<training::Video> for Video {
    fn from(video: training::Video) -> Self {
        let training::Video { video_id, site_id, title, duration_sec, status, version } = video;
        Self { video_id, site_id, title, duration_sec, status, version }
    }
}

#[derive(Serialize, ToSchema)]
struct PlayUrl {
    play_url: String,
    expires_at: Option<DateTime<Utc>>,
}

#[utoipa::path(
    get,
    path = "/api/admin/videos",
    tag = "videos",
    params(Listed<Filter>),
    responses((status = 200, body = Enveloped<Items<Video>>))
)]
async fn list_videos(call: Call, Query(listed): Query<Listed<Filter>>) -> Answer<Items<Video>> {
    let page = listed.paging.page()?;
    let message = ListVideosRequest { site_id: listed.filter.site_id.to_string() };
    let found = ask!(call.training.list_videos(message)).await?;
    answer(Items::page_of(found.videos, page))
}

/// Stores a video; its duration is read from the file.
#[utoipa::path(
    post,
    path = "/api/admin/videos",
    tag = "videos",
    request_body(content = NewVideo, content_type = "multipart/form-data"),
    responses((status = 200, body = Enveloped<Video>))
)]
async fn add_video(call: Call, request: Request) -> Answer<Video> {
    let Ok(_room) = call.gateway.upload_room.try_acquire() else {
        return Err(Failure::new(ErrorCode::TooManyRequests));
    };
    let form = form::open(&call, request).await?;
    let mut request = call.command(read(form).await?);
    request.set_timeout(UPLOAD_PATIENCE);
    let added = call.training().add_video(request).await;
    let added = added.map_err(|status| Failure::renamed(&status, &[("content", "file")]))?;
    let added = added.into_inner();
    answer(added.video.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}

async fn read(mut parts: Multipart) -> Result<AddVideoRequest, Failure> {
    let (mut title, mut site_id, mut content) = (None, None, None);
    let mut problems = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(form::broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "title" => title = Some(part.text().await.map_err(form::broken)?),
            "site_id" => site_id = Some(part.text().await.map_err(form::broken)?),
            "file" => content = Some(part.bytes().await.map_err(form::broken)?),
            _ => problems.push(FieldProblem::new(name, "is unknown")),
        }
    }
    for (field, missing) in [
        ("title", title.as_ref().is_none_or(|title| title.trim().is_empty())),
        ("site_id", site_id.is_none()),
        ("file", content.as_ref().is_none_or(bytes::Bytes::is_empty)),
    ] {
        if missing {
            problems.push(FieldProblem::new(field, "is required"));
        }
    }
    if let Some(Err(problem)) = site_id.as_ref().map(|id| id.parse::<SiteId>()) {
        problems.push(FieldProblem::new("site_id", problem.to_string()));
    }
    if content.as_ref().is_some_and(|content| content.len() > MAX_VIDEO_BYTES) {
        return Err(Failure::new(ErrorCode::TooLarge));
    }
    match (title, site_id, content) {
        (Some(title), Some(site_id), Some(content)) if problems.is_empty() => {
            Ok(AddVideoRequest { site_id, title, content: content.into() })
        }
        _ => Err(Failure::fields(problems)),
    }
}

/// A short-lived signed address of the video.
#[utoipa::path(
    get,
    path = "/api/admin/videos/{video_id}/play-url",
    tag = "videos",
    params(("video_id" = Uuid, Path)),
    responses((status = 200, body = Enveloped<PlayUrl>))
)]
async fn get_play_url(call: Call, Id(video_id): Id) -> Answer<PlayUrl> {
    let found = ask!(call.training.get_play_url(GetPlayUrlRequest { video_id })).await?;
    answer(PlayUrl {
        play_url: public_url(&call, found.play_url),
        expires_at: instant(found.expires_at),
    })
}
