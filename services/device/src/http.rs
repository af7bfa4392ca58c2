//! What controllers speak: signed JSON over HTTP, `/api/device/v1`. No rule lives here.

mod answer;
mod calls;
mod signed;
mod trace;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use types::ErrorCode;

use crate::app::App;
use answer::{Refused, panicked};

/// Every route of a controller. What is no route is 404 in the envelope, another method 405.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/api/device/v1/heartbeat", post(calls::heartbeat))
        .route("/api/device/v1/permissions", get(calls::permissions))
        .route("/api/device/v1/decisions", post(calls::decisions))
        .route("/api/device/v1/events", post(calls::events))
        .fallback(|| async { Refused::of(ErrorCode::NotFound) })
        .method_not_allowed_fallback(|| async { Refused::of(ErrorCode::MethodNotAllowed) })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(trace::trace))
        .with_state(app)
}
