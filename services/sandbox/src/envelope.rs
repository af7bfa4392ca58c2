//! The `{code, message, data}` shape which the real-name and door firms answer in, and the plain
//! answers of `/_control`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) fn ok(data: &Value) -> Json<Value> {
    Json(json!({"code": 0, "message": "ok", "data": data}))
}

/// An answer that is none: a firm's refusal, or a mistake at `/_control`.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    body: Value,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, number: u32, message: &str, data: &Value) -> Self {
        Self { status, body: json!({"code": number, "message": message, "data": data}) }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 40400, "NOT_FOUND", &json!({}))
    }

    /// Of whoever turns the knobs.
    pub(crate) fn mistake(problem: impl AsRef<str>) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, problem)
    }

    pub(crate) fn plain(status: StatusCode, problem: impl AsRef<str>) -> Self {
        Self { status, body: json!({"error": problem.as_ref()}) }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// Every bad field of a call at once.
#[derive(Debug, Default)]
pub(crate) struct BadFields {
    fields: Vec<Value>,
}

impl BadFields {
    pub(crate) fn add(&mut self, field: &str, problem: &str) {
        self.fields.push(json!({"field": field, "problem": problem}));
    }

    /// What was read, if nothing was bad.
    pub(crate) fn or<T>(self, read: Option<T>) -> Result<T, Refused> {
        let data = json!({"fields": self.fields});
        read.filter(|_| self.fields.is_empty())
            .ok_or_else(|| Refused::new(StatusCode::BAD_REQUEST, 40001, "VALIDATION_FAILED", &data))
    }
}

pub(crate) fn control_body<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|err| Refused::mistake(err.to_string()))
}
