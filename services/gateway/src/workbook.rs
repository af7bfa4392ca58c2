//! An Excel workbook as an answer: a file to keep, in no envelope.

use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::{HeaderValue, header};
use sheets::Sheet;
use types::{ErrorCode, Language};

use crate::failure::Failure;

pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// A sheet beside the list: what it is of, as `heading` calls it, how old the roster is that its people are on, and when
/// it was made.
pub(crate) fn about(
    (heading, of): (&str, &str),
    roster_synced_at: Option<DateTime<Utc>>,
    exported_at: Option<DateTime<Utc>>,
    language: Language,
) -> Sheet {
    let head = match language {
        Language::ZhCn => [heading, "名册同步时间", "导出时间"],
        Language::En => [heading, "roster read at", "exported at"],
    };
    let at = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
    let mut about = Sheet::new("about", &head);
    about.row([of, &at(roster_synced_at), &at(exported_at)]);
    about
}

/// The finished sheets under `name`, of letters that a header takes. Kept by nobody on the way.
pub(crate) fn file(name: &str, sheets: Vec<Sheet>) -> Result<Response, Failure> {
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

#[cfg(test)]
mod tests {
    use sheets::{Cell, Limits};

    use super::*;

    #[test]
    fn a_file_says_how_old_its_roster_is() {
        let read = "2026-03-01T22:00:00Z".parse().ok();
        let about = about(("Work ticket", "Pier 3"), read, None, Language::En);
        let rows = sheets::read(&sheets::book(vec![about]).unwrap(), Limits::default()).unwrap();
        let cells = rows.iter().map(|row| row.cells.clone()).collect::<Vec<_>>();
        let text = |text: &str| Cell::Text(text.to_owned());
        let head = ["Work ticket", "roster read at", "exported at"].map(text);
        assert_eq!(cells[0], head);
        assert_eq!(cells[1][..2], ["Pier 3", "2026-03-01T22:00:00+00:00"].map(text));
    }
}
