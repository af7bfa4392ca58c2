use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use service::Refusal;
use tonic::Status;
use types::{ErrorCode, FieldProblem, Language};

/// A refusal on its way to the client. The edge turns it into the envelope, in the client's language.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Refusal);

impl Failure {
    pub(crate) fn new(code: ErrorCode) -> Self {
        Self(Refusal::new(code))
    }

    /// One bad field.
    pub(crate) fn field(field: &str, problem: &str) -> Self {
        Self(Refusal::new(ErrorCode::ValidationFailed).field(field, problem))
    }

    /// A service's refusal, its fields renamed from the contract's words to the API's.
    pub(crate) fn renamed(status: &Status, words: &[(&str, &str)]) -> Self {
        let mut refusal = Refusal::from_status(status);
        for problem in &mut refusal.fields {
            if let Some((_, ours)) = words.iter().find(|(theirs, _)| *theirs == problem.field) {
                (*ours).clone_into(&mut problem.field);
            }
        }
        Self(refusal)
    }

    pub(crate) fn fields(fields: Vec<FieldProblem>) -> Self {
        Self(Refusal { fields, ..Refusal::new(ErrorCode::ValidationFailed) })
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self(Refusal::from_status(&status))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = status(self.0.code).into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// Whether whoever was asked could not answer: nothing is known either way.
pub(crate) fn is_away(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UpstreamUnavailable | ErrorCode::StoreUnavailable | ErrorCode::Timeout
    )
}

pub(crate) fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The envelope of a refusal: what the client needs to go on, every bad field, and a sentence for a person.
pub(crate) fn envelope(refusal: Refusal, language: Language) -> Value {
    let mut data = refusal.data;
    if !refusal.fields.is_empty() {
        data.insert("fields".to_owned(), json!(refusal.fields));
    }
    data.insert("detail".to_owned(), refusal.code.sentence(language).into());
    json!({"code": refusal.code.number(), "message": refusal.code.name(), "data": data})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_data_and_fields_and_gains_a_sentence() {
        let refusal = Refusal::new(ErrorCode::StateConflict)
            .data("from", "DRAFT")
            .field("status", "is final");
        let written = envelope(refusal, Language::En);
        assert_eq!(
            written,
            json!({"code": 40902, "message": "STATE_CONFLICT", "data": {
                "from": "DRAFT",
                "fields": [{"field": "status", "problem": "is final"}],
                "detail": ErrorCode::StateConflict.sentence(Language::En),
            }})
        );
    }
}
