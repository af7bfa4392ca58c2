use axum::extract::Path;
use proto::directory::v1::FindRegistrationRequest;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, Enveloped, answer};
use crate::call::{Call, Shared, ask};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(find_registration))
}

#[derive(Serialize, ToSchema)]
struct Registration {
    site_id: String,
    site_name: String,
    /// Whether the last six characters of the identity number are enough to bind.
    id_last_six: bool,
}

/// The site of a registration link, and what binding asks for there.
#[utoipa::path(
    get,
    path = "/api/mp/registrations/{code}",
    tag = "mini-program",
    params(("code" = String, Path)),
    responses((status = 200, body = Enveloped<Registration>))
)]
async fn find_registration(call: Call, Path(code): Path<String>) -> Answer<Registration> {
    let message = FindRegistrationRequest { code };
    let found = ask!(call.directory.find_registration(message)).await?;
    answer(Registration {
        site_id: found.site_id,
        site_name: found.site_name,
        id_last_six: found.id_last_six,
    })
}
