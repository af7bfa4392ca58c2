//! One file an area of the API. Paths stand in full where they are handled, as the document shows them.
#![expect(clippy::struct_field_names, reason = "ids are named in full in the API")]

mod admin;
mod docs;
mod integration;
mod media;
mod mp;
mod shown;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

use crate::call::Shared;
use crate::openapi;

pub(crate) fn router() -> Router<Shared> {
    let (router, document) = OpenApiRouter::new()
        .merge(admin::router())
        .merge(mp::router())
        .merge(integration::router())
        .merge(media::router())
        .split_for_parts();
    router.merge(docs::router(&openapi::complete(&document)))
}
