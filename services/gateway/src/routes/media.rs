//! Videos by signed address: whoever was given one can play it until it expires.

use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use blobs::{Content, UrlError, byte_range};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use types::ErrorCode;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::call::Shared;
use crate::failure::Failure;
use crate::request::{Id, Query};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(play_video))
}

#[derive(Debug, Deserialize, IntoParams)]
struct Signed {
    /// Unix seconds.
    expires: i64,
    signature: String,
}

/// The video, or the part of it that a `Range` header asks for.
#[utoipa::path(
    get,
    path = "/api/media/videos/{video_id}",
    tag = "media",
    params(("video_id" = uuid::Uuid, Path), Signed),
    responses(
        (status = 200, content_type = "video/mp4", description = "The whole video"),
        (status = 206, content_type = "video/mp4", description = "A part of it"),
        (status = 416, description = "The range lies outside the video"),
    )
)]
async fn play_video(
    State(gateway): State<Shared>,
    OriginalUri(uri): OriginalUri,
    Id(video): Id,
    Query(signed): Query<Signed>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let now = gateway.shell.system.now();
    gateway.signer.verify(uri.path(), signed.expires, &signed.signature, now).map_err(
        |err: UrlError| {
            tracing::debug!(error = %err, "address refused");
            Failure::new(ErrorCode::SignatureInvalid)
        },
    )?;
    let key = format!("videos/{video}.mp4");
    let size = gateway.blobs.size(&key).await.map_err(failure)?;
    let asked =
        headers.get(header::RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match byte_range(asked, size) {
        Ok(None) => {
            Ok(video_part(StatusCode::OK, gateway.blobs.open(&key).await.map_err(failure)?))
        }
        Ok(Some(range)) => {
            let content = gateway.blobs.get_range(&key, range).await.map_err(failure)?;
            Ok(video_part(StatusCode::PARTIAL_CONTENT, content))
        }
        Err(_) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            insert(&mut response, header::CONTENT_RANGE, format!("bytes */{size}"));
            Ok(response)
        }
    }
}

fn video_part(status: StatusCode, content: Content) -> Response {
    let (range, size) = (content.range.clone(), content.size);
    let mut response = Response::new(Body::from_stream(content.stream));
    *response.status_mut() = status;
    insert(&mut response, header::CONTENT_TYPE, "video/mp4".to_owned());
    insert(&mut response, header::ACCEPT_RANGES, "bytes".to_owned());
    insert(&mut response, header::CONTENT_LENGTH, (range.end - range.start).to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        let last = range.end.saturating_sub(1);
        insert(
            &mut response,
            header::CONTENT_RANGE,
            format!("bytes {}-{last}/{size}", range.start),
        );
    }
    // The phone that has the address may keep the bytes; nobody between may.
    insert(&mut response, header::CACHE_CONTROL, "private, max-age=3600".to_owned());
    response
}

fn insert(response: &mut Response, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

fn failure(err: blobs::Error) -> Failure {
    Failure::new(match err {
        blobs::Error::NotFound | blobs::Error::InvalidKey | blobs::Error::OutOfRange { .. } => {
            ErrorCode::NotFound
        }
        err => {
            tracing::error!(error = %err, "video cannot be read");
            ErrorCode::Internal
        }
    })
}
