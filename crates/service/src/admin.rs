//! The admin port: liveness, readiness, metrics.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::health::Health;
use crate::tasks::Tasks;

/// Installs the metrics recorder for the process; call it once.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new().install_recorder()
}

#[derive(Clone)]
struct Admin {
    health: Health,
    tasks: Tasks,
    metrics: PrometheusHandle,
}

/// `/livez` answers while the process runs, `/readyz` 200 when it may get traffic, else 503 and what is
/// missing, `/metrics` in Prometheus' text format.
pub fn router(health: Health, tasks: Tasks, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|State(admin): State<Admin>| async move { admin.metrics.render() }))
        .with_state(Admin { health, tasks, metrics })
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.tasks.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    let missing = admin.health.missing();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    let lines: Vec<String> = missing.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", lines.join("\n"))).into_response()
}
