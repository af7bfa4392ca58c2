use std::any::Any;

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use service::Refusal;
use types::{ErrorCode, Language};

/// A success in the envelope.
#[derive(Debug)]
pub(super) struct Answer<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        Json(json!({"code": 0, "message": "ok", "data": self.0})).into_response()
    }
}

/// A refusal in the envelope, in the sender's language.
#[derive(Debug)]
pub(super) struct Refused {
    refusal: Box<Refusal>,
    language: Language,
}

impl Refused {
    pub(super) fn new(refusal: impl Into<Refusal>, headers: &HeaderMap) -> Self {
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = wanted.map_or_else(Language::default, Language::from_accept_language);
        Self { refusal: Box::new(refusal.into()), language }
    }

    /// Where nothing is known of the sender.
    pub(super) fn of(code: ErrorCode) -> Self {
        Self { refusal: Box::new(Refusal::new(code)), language: Language::default() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Refusal { code, fields, data } = *self.refusal;
        let mut members: Map<String, Value> = data;
        members.insert("detail".to_owned(), code.sentence(self.language).into());
        if !fields.is_empty() {
            let fields =
                fields.iter().map(|bad| json!({"field": bad.field, "problem": bad.problem}));
            members.insert("fields".to_owned(), fields.collect());
        }
        let body = json!({"code": code.number(), "message": code.name(), "data": members});
        let status =
            StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(body)).into_response()
    }
}

/// The answer of a handler that panicked.
pub(super) fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Refused::of(ErrorCode::Internal).into_response()
}
