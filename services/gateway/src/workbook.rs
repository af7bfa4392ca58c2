//! An Excel workbook as an answer: a file to keep, in no envelope.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use types::ErrorCode;

use crate::failure::Failure;

pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The finished sheets under `name`, of letters that a header takes. Kept by nobody on the way.
pub(crate) fn file(name: &str, sheets: Vec<sheets::Sheet>) -> Result<Response, Failure> {
    let bytes = sheets::book(sheets).map_err(|err| {
        tracing::error!(error = %err, "a workbook could not be written");
        Failure::new(ErrorCode::Internal)
    })?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(XLSX));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = format!("attachment; filename=\"{name}.xlsx\"");
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}
