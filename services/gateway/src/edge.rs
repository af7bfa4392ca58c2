//! What happens to every request, whatever its route: its id and trace, a place in the house, a deadline, a caught
//! panic, the envelope of a refusal, the headers that keep browsers safe, and its figures.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use service::{Refusal, telemetry};
use tracing::Instrument;
use types::{ErrorCode, Language};

use crate::call::{RequestId, Shared, language};
use crate::failure::{self, Failure};

/// Where a request that no route takes is counted.
const UNMATCHED: &str = "unmatched";
const LIMIT: Duration = Duration::from_secs(15);
const LONG_LIMIT: Duration = Duration::from_mins(1);
/// Takes a file in, or reads a whole log or a whole roster.
const LONG: [(&str, &str); 4] = [
    ("POST", "/api/admin/videos"),
    ("GET", "/api/admin/audit-logs/verify"),
    ("GET", "/api/admin/audit-logs/export"),
    ("POST", "/api/admin/workers/sync"),
];
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The body of `/docs` loads from here and from nowhere else.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const NOTHING_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

pub(crate) async fn observe(
    State(gateway): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| UNMATCHED.to_owned(), |path| path.as_str().to_owned());
    let method = known(request.method());
    let language = language(request.headers());
    let id = request_id(request.headers());
    let theirs = request.headers().get(telemetry::TRACEPARENT).cloned();
    let span = tracing::info_span!(
        "http",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        request.id = id,
    );
    telemetry::set_parent(&span, theirs.as_ref().and_then(|value| value.to_str().ok()));
    request.extensions_mut().insert(RequestId(id.clone()));
    let limit = limit(method, &route);
    let work = async {
        let Ok(_room) = gateway.room.try_acquire() else {
            return Failure::new(ErrorCode::TooManyRequests).into_response();
        };
        let run = AssertUnwindSafe(next.run(request)).catch_unwind();
        match tokio::time::timeout(limit, run).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => {
                tracing::error!(http.route = route, "handler panicked");
                Failure::new(ErrorCode::Internal).into_response()
            }
            Err(_) => Failure::new(ErrorCode::Timeout).into_response(),
        }
    };
    let response = work.instrument(span.clone()).await;
    let mut response = enveloped(response, language);
    protect(response.headers_mut(), &route, gateway.config.is_secure());
    let traceparent = span.in_scope(telemetry::current_traceparent);
    let traceparent = traceparent.and_then(|text| HeaderValue::try_from(text).ok()).or(theirs);
    if let Some(traceparent) = traceparent {
        response.headers_mut().insert(telemetry::TRACEPARENT, traceparent);
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    span.record("http.response.status_code", response.status().as_u16());
    let labels = [
        ("route", route),
        ("method", method.to_owned()),
        ("status", response.status().as_str().to_owned()),
    ];
    metrics::histogram!("sitepass_http_request_duration_seconds", &labels)
        .record(started.elapsed().as_secs_f64());
    response
}

/// How long a request may take.
fn limit(method: &str, route: &str) -> Duration {
    if LONG.contains(&(method, route)) { LONG_LIMIT } else { LIMIT }
}

/// No route has this path.
pub(crate) async fn not_found() -> Failure {
    Failure::new(ErrorCode::NotFound)
}

/// Writes the envelope of a refusal; also of one that a library made, by its status.
fn enveloped(mut response: Response, language: Language) -> Response {
    let refusal =
        response.extensions_mut().remove::<Refusal>().or_else(|| foreign(response.status()));
    let Some(refusal) = refusal else { return response };
    let retry_after = retry_after(&refusal);
    let status = failure::status(refusal.code);
    let mut written = (status, Json(failure::envelope(refusal, language))).into_response();
    if let Some(seconds) = retry_after {
        written.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    if let Some(allow) = response.headers_mut().remove(header::ALLOW) {
        written.headers_mut().insert(header::ALLOW, allow);
    }
    written
}

fn foreign(status: StatusCode) -> Option<Refusal> {
    let code = match status {
        // The API has no code for it; the media route answers it bare, as players expect.
        StatusCode::RANGE_NOT_SATISFIABLE => return None,
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMedia,
        status if status.is_client_error() => ErrorCode::ValidationFailed,
        status if status.is_server_error() => ErrorCode::Internal,
        _ => return None,
    };
    Some(Refusal::new(code))
}

/// Seconds, as a service said or one.
fn retry_after(refusal: &Refusal) -> Option<u64> {
    let busy = refusal.code == ErrorCode::TooManyRequests;
    busy.then(|| {
        refusal.data.get("retry_after_sec").and_then(serde_json::Value::as_u64).unwrap_or(1)
    })
}

fn protect(headers: &mut HeaderMap, route: &str, secure: bool) {
    let docs = route.starts_with("/docs");
    let policy = if docs { DOCS_POLICY } else { NOTHING_POLICY };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !docs && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if secure {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}

/// The client's own id where it is a sane one, so that both sides speak of the same.
fn request_id(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let theirs = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(sane);
    theirs.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// One word a method, and one for all that are invented.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(id: &str) -> HeaderMap {
        HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(id).unwrap())])
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        assert_eq!(request_id(&with("req-7.a_b")), "req-7.a_b");
        for odd in ["", "two words", "a/b", &"x".repeat(65)] {
            assert_ne!(request_id(&with(odd)), odd);
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }

    #[test]
    fn what_waits_for_a_service_longer_than_others_is_not_cut_short() {
        let sync = "/api/admin/workers/sync";
        let routes = [("POST", "/api/admin/videos"), ("GET", "/api/admin/audit-logs/verify")];
        for (method, route) in [("POST", sync)].into_iter().chain(routes) {
            assert_eq!(limit(method, route), LONG_LIMIT, "{method} {route}");
        }
        assert_eq!((limit("GET", sync), limit("POST", "/api/admin/sites")), (LIMIT, LIMIT));
    }

    #[test]
    fn a_service_says_when_to_come_back() {
        let busy = Refusal::new(ErrorCode::TooManyRequests);
        assert_eq!(retry_after(&busy), Some(1));
        assert_eq!(retry_after(&busy.data("retry_after_sec", 60)), Some(60));
        assert_eq!(retry_after(&Refusal::new(ErrorCode::Internal)), None);
    }
}
