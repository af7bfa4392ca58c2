//! `multipart/form-data`, opened and read with its own refusals.

use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use types::ErrorCode;

use crate::call::Call;
use crate::failure::Failure;

pub(crate) async fn open(call: &Call, request: Request) -> Result<Multipart, Failure> {
    let form = Multipart::from_request(request, &call.gateway).await;
    form.map_err(|rejection| match rejection {
        MultipartRejection::InvalidBoundary(_) => Failure::new(ErrorCode::UnsupportedMedia),
        _ => Failure::new(ErrorCode::Internal),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn broken(err: MultipartError) -> Failure {
    if err.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Failure::new(ErrorCode::TooLarge)
    } else {
        Failure::field("body", "is no well-formed multipart/form-data")
    }
}
