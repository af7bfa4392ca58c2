//! One file an area of the API. Paths stand in full where they are handled, as the document shows them.
#![expect(clippy::struct_field_names, reason = "ids are named in full in the API")]

mod admin;
mod docs;
mod integration;
mod media;
mod mp;
mod shown;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa_axum::router::OpenApiRouter;

use crate::call::Shared;
use crate::openapi;
use crate::parameters::{self, Parameters};

pub(crate) fn router() -> Router<Shared> {
    let (router, document) = OpenApiRouter::new()
        .merge(admin::router())
        .merge(mp::router())
        .merge(integration::router())
        .merge(media::router())
        .split_for_parts();
    let parameters = Arc::new(Parameters::of(&document));
    router
        .route_layer(from_fn_with_state(parameters, parameters::understood))
        .merge(docs::router(&openapi::complete(&document)))
}
