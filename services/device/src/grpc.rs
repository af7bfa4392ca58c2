use chrono::{DateTime, Utc};
use proto::device::v1::device_service_server::DeviceService;
use proto::device::v1::{
    ListDevicesRequest, ListDevicesResponse, ListPassagesRequest, ListPassagesResponse,
    RecordVendorEventsRequest, RecordVendorEventsResponse, RegisterDeviceRequest,
    RegisterDeviceResponse, ReportedEvent,
};
use service::grpc::{Access, Policy, caller};
use service::idempotency::Key as IdempotencyKey;
use service::{Fields, Refusal};
use tonic::{Request, Response, Status};
use types::{DeviceId, ErrorCode, Permission};

use crate::app::{App, Error, ListPassages, MOST_EVENTS, RegisterDevice};
use crate::domain::{Entry, Key, Report, Reported, Verdict};
use crate::store::passages::{Filter, Place};
use crate::wire;

pub(crate) const POLICY: Policy = &[
    (
        "/sitepass.device.v1.DeviceService/RegisterDevice",
        Access::Permission(Permission::DeviceManage),
    ),
    ("/sitepass.device.v1.DeviceService/ListDevices", Access::Permission(Permission::DeviceRead)),
    // A vendor's webhook has no account: the gateway has verified its signature over the body and calls as itself.
    ("/sitepass.device.v1.DeviceService/RecordVendorEvents", Access::Service),
    ("/sitepass.device.v1.DeviceService/ListPassages", Access::Permission(Permission::PassageRead)),
];

const MOST_AREAS: usize = 20;
const LONGEST_NAME: usize = 100;
const LONGEST_DELIVERY: usize = 128;
const MAX_LIMIT: u32 = 200;
const DEFAULT_LIMIT: u32 = 20;

/// The edge: no rule lives here.
#[derive(Debug)]
pub(crate) struct Grpc {
    app: App,
}

impl Grpc {
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }
}

#[tonic::async_trait]
impl DeviceService for Grpc {
    async fn register_device(
        &self,
        request: Request<RegisterDeviceRequest>,
    ) -> Result<Response<RegisterDeviceResponse>, Status> {
        let caller = caller(&request)?;
        let key = IdempotencyKey::from_request(&request);
        let message = request.into_inner();
        let mut fields = Fields::new();
        let device = fields.parse("device_id", &message.device_id);
        let site = fields.parse("site_id", &message.site_id);
        let name = fields.text("name", &message.name, LONGEST_NAME);
        let mut areas = fields.parse_list("area_ids", &message.area_ids);
        fields.check(!message.area_ids.is_empty(), "area_ids", "is required");
        fields.check(areas.len() <= MOST_AREAS, "area_ids", "is longer than 20");
        let senses = fields.parse("direction", &message.direction);
        fields.finish()?;
        let (Some(device), Some(site), Some(name), Some(senses)) = (device, site, name, senses)
        else {
            return Err(Refusal::new(ErrorCode::ValidationFailed).into());
        };
        let mut seen = std::collections::BTreeSet::new();
        areas.retain(|area| seen.insert(*area));
        let cmd = RegisterDevice { caller, key, device, site, name, areas, senses };
        Ok(Response::new(self.app.register_device(cmd).await.map_err(status)?))
    }

    async fn list_devices(
        &self,
        request: Request<ListDevicesRequest>,
    ) -> Result<Response<ListDevicesResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::new();
        let site = fields.parse_optional("site_id", &request.get_ref().site_id);
        fields.finish()?;
        let devices = self.app.list_devices(&caller, site).await.map_err(status)?;
        Ok(Response::new(ListDevicesResponse {
            devices: devices.iter().map(wire::device).collect(),
        }))
    }

    async fn record_vendor_events(
        &self,
        request: Request<RecordVendorEventsRequest>,
    ) -> Result<Response<RecordVendorEventsResponse>, Status> {
        let message = request.into_inner();
        let delivery = message.delivery_id.as_str();
        let numbered = message.events.iter().all(|event| event.seq > 0);
        let mut fields = Fields::new();
        let device: Option<DeviceId> = fields.parse("device_id", &message.device_id);
        fields.check(message.events.len() <= MOST_EVENTS, "events", "is longer than 500");
        fields.check(
            numbered || !delivery.is_empty(),
            "delivery_id",
            "is required where an event has no seq",
        );
        let fits = delivery.len() <= LONGEST_DELIVERY
            && delivery.bytes().all(|byte| byte.is_ascii_graphic());
        fields.check(fits, "delivery_id", "is not up to 128 visible ASCII characters");
        fields.finish()?;
        let Some(device) = device else { return Err(status(Error::NotFound)) };
        let seqs: Vec<u64> = message.events.iter().map(|event| event.seq).collect();
        let events = message.events.into_iter().enumerate();
        let batch =
            events.map(|(place, event)| entry(&message.delivery_id, place, event)).collect();
        let recorded = self.app.record_events(&device, batch).await.map_err(status)?;
        let outcomes = seqs.into_iter().zip(&recorded.outcomes);
        Ok(Response::new(RecordVendorEventsResponse {
            outcomes: outcomes.map(|(seq, outcome)| wire::outcome(seq, outcome)).collect(),
        }))
    }

    async fn list_passages(
        &self,
        request: Request<ListPassagesRequest>,
    ) -> Result<Response<ListPassagesResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let filter = Filter {
            site: fields.parse_optional("site_id", &message.site_id),
            worker: fields.parse_optional("worker_id", &message.worker_id),
            area: fields.parse_optional("area_id", &message.area_id),
            device: fields.parse_optional("device_id", &message.device_id),
            verdict: fields.parse_optional::<Verdict>("result", &message.result),
            reason: fields.parse_optional("reason_code", &message.reason_code),
            from: instant(&mut fields, "from", message.from),
            to: instant(&mut fields, "to", message.to),
            contractor: None,
        };
        // Answering all passages, or none, would say something that is not so.
        fields.check(
            message.daily_ticket_id.is_empty(),
            "daily_ticket_id",
            "passages do not know their ticket yet",
        );
        fields.check(message.limit <= MAX_LIMIT, "limit", "is above 200");
        let after = fields.parse_optional("cursor", &message.cursor);
        fields.finish()?;
        let limit = if message.limit == 0 { DEFAULT_LIMIT } else { message.limit };
        let query = ListPassages { caller, filter, after, limit };
        let (passages, next) = self.app.list_passages(query).await.map_err(status)?;
        Ok(Response::new(ListPassagesResponse {
            passages: passages.iter().map(wire::passage).collect(),
            next_cursor: next.map(|place| place.to_string()).unwrap_or_default(),
        }))
    }
}

fn entry(delivery: &str, place: usize, event: ReportedEvent) -> Entry {
    let key = if event.seq == 0 { Ok(Key::delivery(delivery, place)) } else { Key::seq(event.seq) };
    let report = Report::read(&Reported {
        event_time: proto::instant(event.event_time.as_ref()),
        face_id: event.face_id,
        direction: event.direction,
        result: event.result,
        reason_code: event.reason_code,
    });
    Entry { key, report }
}

fn instant(
    fields: &mut Fields,
    field: &str,
    given: Option<prost_types::Timestamp>,
) -> Option<DateTime<Utc>> {
    let read = proto::instant(given.as_ref());
    fields.check(given.is_none() || read.is_some(), field, "is no instant");
    read
}

/// A page's end as a text: microseconds since 1970 and the passage.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.at.timestamp_micros(), self.passage)
    }
}

impl std::str::FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const NONE: &str = "is no cursor of this list";
        let (at, passage) = text.split_once('.').ok_or(NONE)?;
        let at = at.parse().ok().and_then(DateTime::from_timestamp_micros).ok_or(NONE)?;
        Ok(Self { at, passage: passage.parse().map_err(|_| NONE)? })
    }
}

fn status(err: Error) -> Status {
    Refusal::from(err).into()
}

#[cfg(test)]
mod tests {
    use types::PassageId;

    use super::{POLICY, Place};

    #[test]
    fn every_call_has_a_policy() {
        let named: Vec<&str> = POLICY.iter().map(|(path, _)| *path).collect();
        assert_eq!(named, proto::methods("device"));
    }

    #[test]
    fn a_cursor_reads_back_as_it_was_written() {
        let at = "2026-03-02T08:00:00.123456Z".parse().unwrap();
        let place = Place { at, passage: PassageId::new() };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "1", "1.x", "x.1", "99999999999999999999.x"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
