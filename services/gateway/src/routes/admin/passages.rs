use chrono::{DateTime, Utc};
use proto::device::v1::{self as device, ListPassagesRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Scrolled, answer, instant, some};
use crate::call::{Call, Shared, ask};
use crate::request::{Query, id};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_passages))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Option<Uuid>,
    worker_id: Option<Uuid>,
    area_id: Option<Uuid>,
    daily_ticket_id: Option<Uuid>,
    device_id: Option<String>,
    /// PASS or DENY.
    result: Option<String>,
    reason_code: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 20 when not given.
    #[param(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
}

#[derive(Serialize, ToSchema)]
struct Passage {
    passage_id: String,
    site_id: String,
    device_id: String,
    area_id: String,
    daily_ticket_id: Option<String>,
    seq: u64,
    /// As the door said.
    event_time: Option<DateTime<Utc>>,
    /// Corrected by the door's estimated clock error.
    corrected_time: Option<DateTime<Utc>>,
    received_at: Option<DateTime<Utc>>,
    face_id: String,
    /// Null for an unknown face.
    worker_id: Option<String>,
    /// Null where it cannot be told now.
    worker_name: Option<String>,
    /// IN or OUT.
    direction: String,
    /// PASS or DENY.
    result: String,
    reported_reason_code: Option<String>,
    /// One of the seven; null for a pass, and until explained.
    reason_code: Option<String>,
    /// REPORTED or COMPUTED.
    reason_source: Option<String>,
    detail: String,
}

impl From<device::Passage> for Passage {
    fn from(passage: device::Passage) -> Self {
        Self {
            passage_id: passage.passage_id,
            site_id: passage.site_id,
            device_id: passage.device_id,
            area_id: passage.area_id,
            daily_ticket_id: some(passage.daily_ticket_id),
            seq: passage.seq,
            event_time: instant(passage.event_time),
            corrected_time: instant(passage.corrected_time),
            received_at: instant(passage.received_at),
            face_id: passage.face_id,
            worker_id: some(passage.worker_id),
            worker_name: None,
            direction: passage.direction,
            result: passage.result,
            reported_reason_code: some(passage.reported_reason_code),
            reason_code: some(passage.reason_code),
            reason_source: some(passage.reason_source),
            detail: passage.detail,
        }
    }
}

/// What doors reported, the latest first.
#[utoipa::path(
    get,
    path = "/api/admin/passages",
    tag = "passages",
    params(Filter),
    responses((status = 200, body = Enveloped<Scrolled<Passage>>))
)]
async fn list_passages(call: Call, Query(filter): Query<Filter>) -> Answer<Scrolled<Passage>> {
    let message = ListPassagesRequest {
        site_id: id(filter.site_id),
        worker_id: id(filter.worker_id),
        area_id: id(filter.area_id),
        device_id: filter.device_id.unwrap_or_default(),
        result: filter.result.unwrap_or_default(),
        reason_code: filter.reason_code.unwrap_or_default(),
        from: filter.from.map(proto::timestamp),
        to: filter.to.map(proto::timestamp),
        cursor: filter.cursor.unwrap_or_default(),
        limit: filter.page_size.unwrap_or(types::Page::DEFAULT_SIZE),
        daily_ticket_id: id(filter.daily_ticket_id),
    };
    let found = ask!(call.device.list_passages(message)).await?;
    let names = call.names(found.passages.iter().map(|passage| passage.worker_id.clone())).await;
    let items = found.passages.into_iter().map(|passage| {
        let worker_name = names.get(&passage.worker_id).map(|row| row.name.clone());
        Passage { worker_name, ..passage.into() }
    });
    answer(Scrolled { items: items.collect(), next_cursor: some(found.next_cursor) })
}
