//! For vendors, who sign what they send.

mod access_control;

use utoipa_axum::router::OpenApiRouter;

use crate::call::Shared;

pub(super) fn router() -> OpenApiRouter<Shared> {
    access_control::router()
}
