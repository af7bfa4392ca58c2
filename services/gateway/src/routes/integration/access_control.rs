//! What a door system reports: one passage a delivery, signed as Standard Webhooks.

use axum::extract::Request;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use proto::device::v1::{RecordVendorEventsRequest, ReportedEvent};
use serde::{Deserialize, Serialize};
use types::{ErrorCode, FieldProblem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, Enveloped, answer, some};
use crate::call::{Call, Shared};
use crate::failure::Failure;
use crate::request::{body, parse_but};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(record_vendor_event))
}

/// Fields we do not know are the vendor's own and ignored.
#[derive(Deserialize, ToSchema)]
struct VendorEvent {
    #[schema(min_length = 1)]
    device_id: String,
    event_time: DateTime<Utc>,
    /// Empty for an unknown face.
    #[serde(default)]
    #[schema(required = false)]
    face_id: String,
    /// IN or OUT.
    #[schema(min_length = 1)]
    direction: String,
    /// PASS or DENY.
    #[schema(min_length = 1)]
    result: String,
    #[serde(default)]
    #[schema(required = false)]
    reason_code: String,
    /// The device's own number of the event, which only rises.
    seq: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct Taken {
    /// accepted, duplicate or rejected; a rejected event need not be sent again.
    outcome: String,
    why: Option<String>,
    passage_id: Option<String>,
}

/// Takes one passage in. The same delivery again is the same passage.
#[utoipa::path(
    post,
    path = "/api/integration/access-control/events",
    tag = "integration",
    params(
        ("webhook-id" = String, Header, description = "The same on every attempt"),
        ("webhook-timestamp" = i64, Header, description = "Unix seconds of the attempt"),
        ("webhook-signature" = String, Header, description = "v1,<base64>, several parted by spaces"),
    ),
    request_body = VendorEvent,
    responses((status = 200, body = Enveloped<Taken>))
)]
async fn record_vendor_event(call: Call, headers: HeaderMap, request: Request) -> Answer<Taken> {
    let bytes = body(request, &call.gateway).await?;
    let delivery_id = verified(&call, &headers, &bytes)?;
    let event: VendorEvent = parse(&bytes)?;
    let message = RecordVendorEventsRequest {
        device_id: event.device_id,
        events: vec![ReportedEvent {
            seq: event.seq.unwrap_or_default(),
            event_time: Some(proto::timestamp(event.event_time)),
            face_id: event.face_id,
            direction: event.direction,
            result: event.result,
            reason_code: event.reason_code,
        }],
        delivery_id,
    };
    let recorded = call.device().record_vendor_events(call.as_gateway(message)).await?.into_inner();
    let outcome = recorded.outcomes.into_iter().next();
    let outcome = outcome.ok_or_else(|| Failure::new(ErrorCode::Internal))?;
    answer(Taken {
        outcome: outcome.outcome,
        why: some(outcome.why),
        passage_id: some(outcome.passage_id),
    })
}

/// The delivery's id, once its signature is believed.
fn verified(call: &Call, headers: &HeaderMap, body: &Bytes) -> Result<String, Failure> {
    let text = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let secrets = &call.gateway.config.door_webhook_secrets;
    let secrets: Vec<&str> = secrets.iter().filter_map(|secret| secret.expose_str()).collect();
    let (id, timestamp) = (text("webhook-id"), text("webhook-timestamp"));
    let signature = text("webhook-signature");
    let now = call.gateway.shell.system.now();
    auth::webhook::verify(&secrets, &id, &timestamp, &signature, body, now).map_err(|err| {
        tracing::warn!(error = %err, "webhook refused");
        Failure::new(ErrorCode::SignatureInvalid)
    })?;
    Ok(id)
}

fn parse(bytes: &[u8]) -> Result<VendorEvent, Failure> {
    parse_but(bytes, |FieldProblem { problem, .. }| problem != "is unknown")
}
