use chrono::{DateTime, Utc};
use proto::device::v1::{self as device, ListDevicesRequest, RegisterDeviceRequest};
use serde::{Deserialize, Serialize};
use types::ErrorCode;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Items, answer, instant};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Command, Listed, Query, id, ids};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_devices, register_device))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Option<Uuid>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDevice {
    /// The vendor's name for it: 1 to 64 visible ASCII characters.
    #[schema(min_length = 1, max_length = 64)]
    device_id: String,
    site_id: Uuid,
    #[schema(min_length = 1)]
    name: String,
    #[schema(min_items = 1)]
    area_ids: Vec<Uuid>,
    direction: Direction,
}

/// What the device knows of which way a person goes.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Direction {
    Both,
    InOnly,
    None,
}

impl Direction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::InOnly => "in_only",
            Self::None => "none",
        }
    }
}

#[derive(Serialize, ToSchema)]
struct Device {
    device_id: String,
    site_id: String,
    name: String,
    area_ids: Vec<String>,
    /// both, `in_only` or none.
    direction: String,
    /// ACTIVE or INACTIVE.
    status: String,
    online: bool,
    last_seen_at: Option<DateTime<Utc>>,
    firmware: String,
    version: u64,
}

impl From<device::Device> for Device {
    fn from(device: device::Device) -> Self {
        Self {
            device_id: device.device_id,
            site_id: device.site_id,
            name: device.name,
            area_ids: device.area_ids,
            direction: device.direction,
            status: device.status,
            online: device.online,
            last_seen_at: instant(device.last_seen_at),
            firmware: device.firmware,
            version: device.version,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct RegisteredDevice {
    #[serde(flatten)]
    device: Device,
    /// Signs the device's calls. Shown this once.
    secret: String,
}

#[utoipa::path(
    get,
    path = "/api/admin/devices",
    tag = "devices",
    params(Listed<Filter>),
    responses((status = 200, body = Enveloped<Items<Device>>))
)]
async fn list_devices(call: Call, Query(listed): Query<Listed<Filter>>) -> Answer<Items<Device>> {
    let page = listed.paging.page()?;
    let message = ListDevicesRequest { site_id: id(listed.filter.site_id) };
    let found = ask!(call.device.list_devices(message)).await?;
    answer(Items::page_of(found.devices, page))
}

/// Registers a door controller.
#[utoipa::path(
    post,
    path = "/api/admin/devices",
    tag = "devices",
    request_body = NewDevice,
    responses((status = 200, body = Enveloped<RegisteredDevice>))
)]
async fn register_device(call: Call, Command(new): Command<NewDevice>) -> Answer<RegisteredDevice> {
    let message = RegisterDeviceRequest {
        device_id: new.device_id,
        site_id: new.site_id.to_string(),
        name: new.name,
        area_ids: ids(&new.area_ids),
        direction: new.direction.as_str().to_owned(),
    };
    let registered = call.device().register_device(call.command(message)).await?.into_inner();
    let device = registered.device.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into();
    answer(RegisteredDevice { device, secret: registered.secret })
}
