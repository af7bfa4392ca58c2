use proto::directory::v1::{GetRegistrationCodeRequest, GetRegistrationCodeResponse};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Serialize;
use types::ErrorCode;
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, Enveloped, answer};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::Id;

/// Of the picture, in pixels; it is a drawing and may be printed at any size.
const PICTURE: u32 = 320;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(get_registration_code))
}

#[derive(Serialize, ToSchema)]
struct RegistrationCode {
    /// Names the site; no secret.
    code: String,
    site_name: String,
    /// What the picture says; null where it is not known how clients reach us, and the picture says the code alone.
    link: Option<String>,
    /// The picture, SVG.
    qr_svg: String,
    /// Whether the last six characters of the identity number are enough to bind.
    id_last_six: bool,
}

/// The link by which a site's workers bind, and a QR picture of it to hang up.
#[utoipa::path(
    get,
    path = "/api/admin/sites/{site_id}/registration-code",
    tag = "sites",
    params(("site_id" = uuid::Uuid, Path)),
    responses((status = 200, body = Enveloped<RegistrationCode>))
)]
async fn get_registration_code(call: Call, Id(site_id): Id) -> Answer<RegistrationCode> {
    call.looks_at(&site_id).await?;
    let message = GetRegistrationCodeRequest { site_id };
    let found = ask!(call.directory.get_registration_code(message)).await?;
    answer(shown(call.gateway.config.public_url.as_ref(), found)?)
}

fn shown(
    public_url: Option<&Url>,
    found: GetRegistrationCodeResponse,
) -> Result<RegistrationCode, Failure> {
    let GetRegistrationCodeResponse { code, site_name, id_last_six } = found;
    let link = public_url
        .map(|base| format!("{}/m/register?code={code}", base.as_str().trim_end_matches('/')));
    let qr_svg = picture(link.as_ref().unwrap_or(&code))?;
    Ok(RegistrationCode { code, site_name, link, qr_svg, id_last_six })
}

fn picture(text: &str) -> Result<String, Failure> {
    let code = QrCode::new(text).map_err(|err| {
        tracing::error!(error = %err, "a registration link makes no picture");
        Failure::new(ErrorCode::Internal)
    })?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(PICTURE, PICTURE).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(public_url: Option<&str>) -> RegistrationCode {
        let url = public_url.map(|url| url.parse::<Url>().unwrap());
        let found = GetRegistrationCodeResponse { code: "A1B2C3".to_owned(), ..Default::default() };
        shown(url.as_ref(), found).unwrap()
    }

    fn drawn(text: &str) -> String {
        QrCode::new(text).unwrap().render::<svg::Color<'_>>().min_dimensions(320, 320).build()
    }

    #[test]
    fn the_picture_is_of_the_link_where_it_is_known_how_clients_reach_us() {
        for (public_url, link) in [
            ("https://sitepass.example", "https://sitepass.example/m/register?code=A1B2C3"),
            ("https://example.com/gate/", "https://example.com/gate/m/register?code=A1B2C3"),
        ] {
            let shown = of(Some(public_url));
            assert_eq!(shown.link.as_deref(), Some(link));
            assert!(shown.qr_svg == drawn(link), "{public_url}");
        }
    }

    #[test]
    fn the_picture_is_of_the_code_alone_where_it_is_not() {
        let shown = of(None);
        assert_eq!(shown.link, None);
        assert!(shown.qr_svg == drawn("A1B2C3"));
    }
}
