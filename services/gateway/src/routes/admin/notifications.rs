use chrono::{DateTime, Utc};
use proto::notification::v1::{
    self as notification, ListNotificationsRequest, RetryNotificationRequest,
};
use serde::{Deserialize, Serialize};
use types::ErrorCode;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::answer::{Answer, Enveloped, Items, answer, instant, some};
use crate::call::{Call, Shared, ask};
use crate::failure::Failure;
use crate::request::{Id, Listed, Query, id, wire};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_notifications)).routes(routes!(retry_notification))
}

#[derive(Deserialize, IntoParams)]
struct Filter {
    site_id: Option<Uuid>,
    ticket_id: Option<Uuid>,
    worker_id: Option<Uuid>,
    /// QUEUED, SENT, FAILED, SKIPPED or UNKNOWN.
    status: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Notification {
    notification_id: String,
    site_id: String,
    worker_id: String,
    /// Null where it cannot be told now.
    worker_name: Option<String>,
    ticket_id: String,
    daily_ticket_id: String,
    /// `TICKET_PUBLISHED`, `DAILY_REMINDER`, `DEADLINE_SOON` or `BIND_REQUIRED`.
    #[serde(rename = "type")]
    kind: String,
    /// QUEUED, SENT, FAILED, SKIPPED or UNKNOWN.
    status: String,
    /// `NOT_BOUND`, `NO_BALANCE`, `DAY_CLOSED`, `NOT_IN_TICKET`, REFUSED, `PROVIDER_ERROR` or `OUTCOME_UNKNOWN`.
    reason: Option<String>,
    attempts: u32,
    created_at: Option<DateTime<Utc>>,
    sent_at: Option<DateTime<Utc>>,
    next_attempt_at: Option<DateTime<Utc>>,
}

impl From<notification::Notification> for Notification {
    fn from(one: notification::Notification) -> Self {
        Self {
            notification_id: one.notification_id,
            site_id: one.site_id,
            worker_id: one.worker_id,
            worker_name: None,
            ticket_id: one.ticket_id,
            daily_ticket_id: one.daily_ticket_id,
            kind: one.r#type,
            status: one.status,
            reason: some(one.reason),
            attempts: one.attempts,
            created_at: instant(one.created_at),
            sent_at: instant(one.sent_at),
            next_attempt_at: instant(one.next_attempt_at),
        }
    }
}

#[utoipa::path(
    get,
    path = "/api/admin/notifications",
    tag = "notifications",
    params(Listed<Filter>),
    responses((status = 200, body = Enveloped<Items<Notification>>))
)]
async fn list_notifications(
    call: Call,
    Query(listed): Query<Listed<Filter>>,
) -> Answer<Items<Notification>> {
    let (filter, page) = (listed.filter, listed.paging.page()?);
    let message = ListNotificationsRequest {
        site_id: id(filter.site_id),
        ticket_id: id(filter.ticket_id),
        worker_id: id(filter.worker_id),
        status: filter.status.unwrap_or_default(),
        page: Some(wire(page)),
    };
    let found = ask!(call.notification.list_notifications(message)).await?;
    let names = call.names(found.notifications.iter().map(|one| one.worker_id.clone())).await;
    let rows = found.notifications.into_iter().map(|one| {
        let worker_name = names.get(&one.worker_id).map(|row| row.name.clone());
        Notification { worker_name, ..one.into() }
    });
    answer(Items::new(rows, found.total, page))
}

/// Sends one again by hand; at most three times a day.
#[utoipa::path(
    post,
    path = "/api/admin/notifications/{notification_id}/retry",
    tag = "notifications",
    params(("notification_id" = Uuid, Path)),
    responses((status = 200, body = Enveloped<Notification>))
)]
async fn retry_notification(call: Call, Id(notification_id): Id) -> Answer<Notification> {
    let request = call.command(RetryNotificationRequest { notification_id });
    let retried = call.notification().retry_notification(request).await?.into_inner();
    answer(retried.notification.ok_or_else(|| Failure::new(ErrorCode::Internal))?.into())
}
