use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use service::telemetry;
use tracing::Instrument;
use types::EventId;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 64;

/// One span a request, joined to the sender's trace; every answer carries `x-request-id` and `traceparent`.
pub(super) async fn trace(request: Request, next: Next) -> Response {
    let route =
        request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().to_string();
    let span = tracing::info_span!(
        "http",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
    );
    let headers = request.headers();
    let parent = headers.get(telemetry::TRACEPARENT).and_then(|value| value.to_str().ok());
    telemetry::set_parent(&span, parent);
    let given = headers.get(&REQUEST_ID).filter(|id| {
        (1..=LONGEST_REQUEST_ID).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    let request_id =
        given.cloned().or_else(|| HeaderValue::from_str(&EventId::new().to_string()).ok());
    let started = Instant::now();
    let (mut response, traceparent) =
        async { (next.run(request).await, telemetry::current_traceparent()) }
            .instrument(span.clone())
            .await;
    let status = response.status().as_u16();
    span.record("http.response.status_code", status);
    let labels = [("route", route), ("method", method), ("status", status.to_string())];
    metrics::histogram!("sitepass_device_http_duration_seconds", &labels)
        .record(started.elapsed().as_secs_f64());
    if let Some(id) = request_id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if let Some(traceparent) = traceparent.and_then(|value| HeaderValue::from_str(&value).ok()) {
        response.headers_mut().insert(HeaderName::from_static(telemetry::TRACEPARENT), traceparent);
    }
    response
}
