//! A refusal on its way out: an error code, every bad field, and what a client needs to go on.

use prost::Message;
use proto::common::v1::{ErrorDetail, FieldProblem as WireField};
use serde_json::{Map, Value};
use tonic::{Code, Status};
use types::{ErrorCode, FieldProblem};

use crate::store::StoreError;

/// Bytes of the bad fields that one refusal names. A status travels in a header and grows by a third there; a client takes
/// so many bytes of headers, 16 KiB where nobody said more, and what is longer arrives as a broken connection.
const MOST_FIELD_BYTES: usize = 8 * 1024;

/// Travels as a gRPC status with [`ErrorDetail`]; the gateway copies it into the envelope. Never holds
/// a cause, SQL or personal data.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub code: ErrorCode,
    pub fields: Vec<FieldProblem>,
    pub data: Map<String, Value>,
}

impl Refusal {
    pub fn new(code: ErrorCode) -> Self {
        Self { code, fields: Vec::new(), data: Map::new() }
    }

    /// One bad field; call it again for the next.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, problem: impl Into<String>) -> Self {
        self.fields.push(FieldProblem { field: field.into(), problem: problem.into() });
        self
    }

    /// One more member of the envelope's `data`.
    #[must_use]
    pub fn data(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// Reads a refusal back from a status. What carries no detail is judged by its gRPC code alone.
    pub fn from_status(status: &Status) -> Self {
        if let Some(refusal) = Self::from_details(status.details()) {
            return refusal;
        }
        Self::new(match status.code() {
            Code::InvalidArgument => ErrorCode::ValidationFailed,
            Code::NotFound => ErrorCode::NotFound,
            Code::Unauthenticated => ErrorCode::NotSignedIn,
            Code::PermissionDenied => ErrorCode::PermissionDenied,
            Code::Aborted => ErrorCode::VersionConflict,
            Code::FailedPrecondition => ErrorCode::StateConflict,
            Code::ResourceExhausted => ErrorCode::TooManyRequests,
            Code::Unavailable => ErrorCode::UpstreamUnavailable,
            Code::DeadlineExceeded | Code::Cancelled => ErrorCode::Timeout,
            _ => ErrorCode::Internal,
        })
    }

    fn from_details(details: &[u8]) -> Option<Self> {
        if details.is_empty() {
            return None;
        }
        let detail = ErrorDetail::decode(details).ok()?;
        let code = ErrorCode::from_number(detail.code)?;
        let fields = detail
            .fields
            .into_iter()
            .map(|WireField { field, problem }| FieldProblem { field, problem });
        let data = serde_json::from_str(&detail.data).unwrap_or_default();
        Some(Self { code, fields: fields.collect(), data })
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let detail = ErrorDetail {
            code: refusal.code.number(),
            message: refusal.code.name().to_owned(),
            fields: listed(refusal.fields),
            data: if refusal.data.is_empty() {
                String::new()
            } else {
                Value::Object(refusal.data).to_string()
            },
        };
        Status::with_details(
            grpc_code(refusal.code),
            refusal.code.name(),
            detail.encode_to_vec().into(),
        )
    }
}

/// As many as fit, and where not all do, one more that says how many are left off, under the name of the last.
fn listed(problems: Vec<FieldProblem>) -> Vec<WireField> {
    let named = problems.len();
    let mut room = MOST_FIELD_BYTES;
    let fits = |problem: &WireField| {
        // The message, its tag and its length.
        let left = room.checked_sub(problem.encoded_len() + 4);
        room = left.unwrap_or_default();
        left.is_some()
    };
    let wire = |FieldProblem { field, problem }| WireField { field, problem };
    let mut listed: Vec<WireField> = problems.into_iter().map(wire).take_while(fits).collect();
    let left_off = named - listed.len();
    if left_off > 0 {
        let last = listed.last().map(|last| last.field.as_str()).unwrap_or_default();
        let field = last.split('[').next().unwrap_or_default().to_owned();
        listed.push(WireField { field, problem: format!("and {left_off} more problems") });
    }
    listed
}

/// What nobody but us can mend is logged here, once for all services: the client is told no more than that it failed.
impl From<&StoreError> for Refusal {
    fn from(err: &StoreError) -> Self {
        match err {
            StoreError::Unavailable => Self::new(ErrorCode::StoreUnavailable),
            StoreError::Conflict => Self::new(ErrorCode::VersionConflict),
            StoreError::Corrupt { .. } | StoreError::Database(_) => {
                tracing::error!(error = %err, "the store failed");
                Self::new(ErrorCode::Internal)
            }
        }
    }
}

fn grpc_code(code: ErrorCode) -> Code {
    match code {
        ErrorCode::VersionConflict | ErrorCode::IdempotencyKeyReused => Code::Aborted,
        ErrorCode::Internal => Code::Internal,
        _ => match code.http_status() {
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::NotFound,
            409 => Code::FailedPrecondition,
            410 => Code::OutOfRange,
            413 | 429 | 507 => Code::ResourceExhausted,
            503 => Code::Unavailable,
            504 => Code::DeadlineExceeded,
            400..=499 => Code::InvalidArgument,
            _ => Code::Internal,
        },
    }
}

/// Collects every bad field of a request, so that one answer names them all.
#[derive(Debug, Default)]
pub struct Fields {
    problems: Vec<FieldProblem>,
}

impl Fields {
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses a value; `None` and a recorded problem when it does not parse. An empty text is "is required".
    pub fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        field: &str,
        text: &str,
    ) -> Option<T> {
        if text.is_empty() {
            self.problem(field, "is required");
            return None;
        }
        text.parse().map_err(|problem: T::Err| self.problem(field, problem.to_string())).ok()
    }

    /// The same for an optional value: empty is absent, not a problem.
    pub fn parse_optional<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        field: &str,
        text: &str,
    ) -> Option<T> {
        if text.is_empty() { None } else { self.parse(field, text) }
    }

    /// Parses each of a list; problems name the index: `area_ids[2]`.
    pub fn parse_list<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        field: &str,
        texts: &[String],
    ) -> Vec<T> {
        texts
            .iter()
            .enumerate()
            .filter_map(|(index, text)| self.parse(&format!("{field}[{index}]"), text))
            .collect()
    }

    /// A text of 1 to `max` characters without control characters, trimmed.
    pub fn text(&mut self, field: &str, text: &str, max: usize) -> Option<String> {
        let text = text.trim();
        if text.is_empty() {
            self.problem(field, "is required");
        } else if text.chars().count() > max {
            self.problem(field, format!("is longer than {max} characters"));
        } else if text.chars().any(char::is_control) {
            self.problem(field, "holds control characters");
        } else {
            return Some(text.to_owned());
        }
        None
    }

    /// Records a problem unless `holds`.
    pub fn check(&mut self, holds: bool, field: &str, problem: &str) {
        if !holds {
            self.problem(field, problem);
        }
    }

    pub fn problem(&mut self, field: &str, problem: impl Into<String>) {
        self.problems.push(FieldProblem { field: field.to_owned(), problem: problem.into() });
    }

    /// `VALIDATION_FAILED` with every problem, or nothing.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Refusal { code: ErrorCode::ValidationFailed, fields: self.problems, data: Map::new() })
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tonic::{Code, Status};
    use types::ErrorCode;

    use super::{Fields, Refusal, StoreError};

    #[test]
    fn a_refusal_survives_the_wire() {
        let refusal = Refusal::new(ErrorCode::StateConflict)
            .data("from", "CANCELLED")
            .field("status", "is final");
        let status = Status::from(refusal.clone());
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(Refusal::from_status(&status), refusal);
    }

    #[test]
    fn a_store_that_failed_is_logged_and_the_client_learns_nothing_of_it() {
        let said = Said::default();
        let writer = said.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(log, || {
            let away = Refusal::from(&StoreError::Unavailable);
            assert_eq!(away.code, ErrorCode::StoreUnavailable);
            assert_eq!(said.text(), "", "the database's absence is health's to tell");
            let corrupt = Refusal::from(&StoreError::corrupt("work_tickets", 7));
            assert_eq!(corrupt, Refusal::new(ErrorCode::Internal));
        });
        assert!(said.text().contains("no state explains row 7 of work_tickets"), "{}", said.text());
    }

    /// What was logged.
    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl Said {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_status_without_detail_is_judged_by_its_code() {
        assert_eq!(Refusal::from_status(&Status::deadline_exceeded("x")).code, ErrorCode::Timeout);
        assert_eq!(Refusal::from_status(&Status::unknown("x")).code, ErrorCode::Internal);
    }

    #[test]
    fn of_more_bad_fields_than_fit_a_header_the_first_are_named_and_the_rest_counted() {
        let mut fields = Fields::new();
        for place in 0..2_000 {
            fields.problem(&format!("worker_ids[{place}]"), "is no worker of this site");
        }
        let status = Status::from(fields.finish().unwrap_err());
        assert!(status.details().len() < 10 * 1024, "{}", status.details().len());
        let mut named = Refusal::from_status(&status).fields;
        let rest = named.pop().unwrap();
        assert!(named.len() >= 50, "{}", named.len());
        assert!(named.iter().all(|problem| problem.problem == "is no worker of this site"));
        let wanted = format!("and {} more problems", 2_000 - named.len());
        assert_eq!((rest.field.as_str(), rest.problem), ("worker_ids", wanted));
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let mut fields = Fields::new();
        assert_eq!(fields.parse::<u8>("count", "many"), None);
        assert_eq!(fields.text("title", "  ", 10), None);
        assert_eq!(fields.parse_list::<u8>("ids", &["1".to_owned(), "x".to_owned()]), [1]);
        fields.check(false, "end_date", "before start_date");
        let refusal = fields.finish().unwrap_err();
        let named: Vec<&str> =
            refusal.fields.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(named, ["count", "title", "ids[1]", "end_date"]);
    }
}
