//! Commands that make one more of something each time they are sent: under a key of the client's they make one, and whoever
//! repeats one is answered what the first was. The key goes on with these alone, and the document says so of them.

use axum::extract::MatchedPath;
use http::request::Parts;
use serde_json::{Value, json};
use tonic::metadata::{Ascii, MetadataValue};

use crate::failure::Failure;

const HEADER: &str = "Idempotency-Key";
const MOST: usize = 128;

/// By method and path, those whose service keeps its answer under the key.
const TABLE: [(&str, &str); 10] = [
    ("POST", "/api/admin/accounts"),
    ("POST", "/api/admin/areas"),
    ("POST", "/api/admin/contractors"),
    ("POST", "/api/admin/devices"),
    ("POST", "/api/admin/sites"),
    ("POST", "/api/admin/videos"),
    ("POST", "/api/admin/work-tickets"),
    ("POST", "/api/admin/work-tickets/{ticket_id}/copy"),
    ("POST", "/api/mp/subscriptions"),
    ("POST", "/api/mp/training-sessions"),
];

/// Whether a route takes a key.
pub(crate) fn takes(method: &str, path: &str) -> bool {
    TABLE.contains(&(method, path))
}

/// The key of a command that takes one.
pub(crate) fn key(parts: &Parts) -> Result<Option<MetadataValue<Ascii>>, Failure> {
    let path = parts.extensions.get::<MatchedPath>();
    if !path.is_some_and(|path| takes(parts.method.as_str(), path.as_str())) {
        return Ok(None);
    }
    let Some(value) = parts.headers.get(HEADER) else { return Ok(None) };
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    if !visible || !(1..=MOST).contains(&value.len()) {
        return Err(Failure::field(HEADER, "is not 1 to 128 visible ASCII characters"));
    }
    let key = value.to_str().ok().and_then(|text| MetadataValue::try_from(text).ok());
    Ok(key)
}

/// The header as the document describes it.
pub(crate) fn parameter() -> Value {
    json!({
        "name": HEADER,
        "in": "header",
        "required": false,
        "description": "A name of the client's for this command: sent again within seven days under the same key with \
            the same body, it is carried out once and answered alike; another body is refused with 40903.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MOST, "pattern": "^[!-~]+$"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_takes_a_key_is_a_route() {
        let routes = crate::access::TABLE;
        let is_route =
            |line: &(&str, &str)| routes.iter().any(|(method, path, _)| (*method, *path) == *line);
        assert_eq!(TABLE.iter().find(|line| !is_route(line)), None);
    }
}
