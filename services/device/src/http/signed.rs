use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;
use service::Refusal;
use types::ErrorCode;

use super::answer::Refused;
use crate::app::{App, Signed};
use crate::domain::Device;

const LARGEST_BODY: usize = 1024 * 1024;
/// A sender that trickles its body is cut off.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// A request whose sender is known: the signature was the controller's.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) device: Device,
    pub(super) uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Sender {
    /// The body as JSON; fields we do not know are ignored.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Refused> {
        let whole: Value = serde_json::from_slice(&self.body)
            .map_err(|_| self.refused(Refusal::new(ErrorCode::MalformedJson)))?;
        // Serde would read a list as the members of a struct, in their order.
        let read = if whole.is_object() { serde_json::from_value(whole).ok() } else { None };
        read.ok_or_else(|| {
            let refusal = Refusal::new(ErrorCode::ValidationFailed);
            self.refused(refusal.field("body", "is no object of this call"))
        })
    }

    pub(super) fn refused(&self, refusal: impl Into<Refusal>) -> Refused {
        Refused::new(refusal, &self.headers)
    }
}

impl FromRequest<App> for Sender {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        let body =
            read(body).await.map_err(|code| Refused::new(Refusal::new(code), &parts.headers))?;
        let header = |name: &str| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let signed = Signed {
            device: header("x-device-id"),
            timestamp: header("x-timestamp"),
            nonce: header("x-nonce"),
            signature: header("x-signature"),
            method: parts.method.as_str(),
            path_and_query,
            body: &body,
            changes: parts.method != Method::GET && parts.method != Method::HEAD,
        };
        let device = app.authenticate(signed).await;
        let device = device.map_err(|err| Refused::new(err, &parts.headers))?;
        Ok(Self { device, uri: parts.uri, headers: parts.headers, body })
    }
}

async fn read(body: Body) -> Result<Bytes, ErrorCode> {
    let collected =
        tokio::time::timeout(BODY_WITHIN, Limited::new(body, LARGEST_BODY).collect()).await;
    match collected {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(err)) if err.is::<LengthLimitError>() => Err(ErrorCode::TooLarge),
        Ok(Err(_)) => Err(ErrorCode::MalformedJson),
        Err(_) => Err(ErrorCode::Timeout),
    }
}
