//! The document of the API, and a page to browse it; both from this binary alone.

use axum::Router;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use bytes::Bytes;
use http::header;
use serde_json::Value;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::call::Shared;

pub(super) fn router(document: &Value) -> Router<Shared> {
    let document = Bytes::from(document.to_string());
    // Without this the page would send the document to a validator elsewhere.
    let config = Config::from("/openapi.json").validator_url("none").display_operation_id(true);
    Router::new()
        .route(
            "/openapi.json",
            get(async move || {
                ([(header::CONTENT_TYPE, "application/json")], document).into_response()
            }),
        )
        .merge(SwaggerUi::new("/docs").config(config))
        .route("/", get(async || Redirect::temporary("/docs/")))
}
