//! Tables as files for a spreadsheet.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, header};
use rust_xlsxwriter::{Workbook, XlsxError};
use types::ErrorCode;

use crate::failure::Failure;

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// One sheet: its name, and rows of texts, the first of which heads the columns.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// At most 31 characters, none of `[]:*?/\\`.
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Vec<String>>,
}

/// The file as an answer that is saved under this name (ASCII), and kept by nobody between.
pub(crate) async fn xlsx(file_name: &str, sheets: Vec<Sheet>) -> Result<Response, Failure> {
    let written = tokio::task::spawn_blocking(move || write(&sheets)).await;
    let bytes = match written {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(err)) => return Err(internal(&err)),
        Err(err) => return Err(internal(&err)),
    };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(XLSX));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{file_name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

fn internal(err: &dyn std::error::Error) -> Failure {
    tracing::error!(error = %err, "a table could not be written");
    Failure::new(ErrorCode::Internal)
}

fn write(sheets: &[Sheet]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    for Sheet { name, rows } in sheets {
        let sheet = workbook.add_worksheet();
        sheet.set_name(*name)?.set_freeze_panes(1, 0)?;
        for (row, cells) in (0..).zip(rows) {
            for (column, text) in (0..).zip(cells) {
                sheet.write_string(row, column, guarded(text))?;
            }
        }
    }
    workbook.save_to_buffer()
}

/// A text that a spreadsheet does not take for a formula: not here, where it is written as a text, and not in what
/// somebody saves of it as CSV.
fn guarded(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_formula() {
        for text in ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(guarded(text), format!("'{text}"));
        }
        for text in ["", "张三", "199****0001", "a=1"] {
            assert_eq!(guarded(text), text);
        }
    }

    #[test]
    fn a_table_is_written_as_a_workbook() {
        let rows = vec![vec!["姓名".to_owned()], vec!["=1+1".to_owned()]];
        let bytes = write(&[Sheet { name: "workers", rows }]).unwrap();
        assert!(bytes.starts_with(b"PK"), "a workbook is a zip file");
        assert!(write(&[Sheet { name: "a/b", rows: Vec::new() }]).is_err());
    }
}
