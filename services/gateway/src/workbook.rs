//! An Excel workbook as an answer: a file to keep, in no envelope.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use types::ErrorCode;

use crate::failure::Failure;

pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The finished sheet under `name`, of letters that a header takes.
pub(crate) fn file(name: &str, sheet: sheets::Sheet) -> Result<Response, Failure> {
    let bytes = sheet.finish().map_err(|err| {
        tracing::error!(error = %err, "a workbook could not be written");
        Failure::new(ErrorCode::Internal)
    })?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(XLSX));
    let disposition = format!("attachment; filename=\"{name}.xlsx\"");
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}
