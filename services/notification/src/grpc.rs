//! Requests to use cases, answers and refusals back. No rule lives here.

use proto::notification::v1::notification_service_server::{
    NotificationService, NotificationServiceServer,
};
use proto::notification::v1::{
    ListNotificationsRequest, ListNotificationsResponse, MarkTaskReadRequest, MarkTaskReadResponse,
    RecordConsentRequest, RecordConsentResponse, RetryNotificationRequest,
    RetryNotificationResponse,
};
use service::grpc::{Access, Policy, caller};
use service::idempotency::Key;
use service::{Fields, Refusal};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use types::{ErrorCode, Page, Permission};

use crate::app::{App, Error, Filter, RecordConsent};
use crate::domain::{self, NotAllowed};
use crate::wire;

/// Who may make which call.
pub const POLICY: Policy = &[
    (
        "/sitepass.notification.v1.NotificationService/ListNotifications",
        Access::Permission(Permission::NotificationRead),
    ),
    (
        "/sitepass.notification.v1.NotificationService/RetryNotification",
        Access::Permission(Permission::NotificationRetry),
    ),
    ("/sitepass.notification.v1.NotificationService/RecordConsent", Access::Worker),
    ("/sitepass.notification.v1.NotificationService/MarkTaskRead", Access::Worker),
];

/// Taps one call may tell of.
const MOST_ACCEPTED: u32 = 10;
const LONGEST_TEMPLATE: usize = 64;

/// The calls of this service.
pub fn routes(app: App) -> Routes {
    Routes::new(NotificationServiceServer::new(Notifications { app }))
}

#[derive(Debug)]
struct Notifications {
    app: App,
}

#[tonic::async_trait]
impl NotificationService for Notifications {
    async fn list_notifications(
        &self,
        request: Request<ListNotificationsRequest>,
    ) -> Result<Response<ListNotificationsResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let filter = Filter {
            site: fields.parse_optional("site_id", &message.site_id),
            ticket: fields.parse_optional("ticket_id", &message.ticket_id),
            worker: fields.parse_optional("worker_id", &message.worker_id),
            status: fields.parse_optional("status", &message.status),
            contractor: None,
        };
        let wanted = message.page.unwrap_or_default();
        let page = Page::from_wire(wanted.page, wanted.page_size).unwrap_or_else(|problem| {
            fields.problem(&problem.field, problem.problem);
            Page::default()
        });
        fields.finish()?;
        let (notices, total) =
            self.app.list_notifications(&caller, filter, page).await.map_err(status)?;
        let notifications =
            notices.iter().map(|notice| wire::notification(&notice.value, notice.version));
        Ok(Response::new(ListNotificationsResponse {
            notifications: notifications.collect(),
            total,
        }))
    }

    async fn retry_notification(
        &self,
        request: Request<RetryNotificationRequest>,
    ) -> Result<Response<RetryNotificationResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::new();
        let id = fields.parse("notification_id", &request.get_ref().notification_id);
        fields.finish()?;
        let Some(id) = id else { return Err(unread()) };
        let notice = self.app.retry_notification(&caller, id).await.map_err(status)?;
        let notification = Some(wire::notification(&notice.value, notice.version));
        Ok(Response::new(RetryNotificationResponse { notification }))
    }

    async fn record_consent(
        &self,
        request: Request<RecordConsentRequest>,
    ) -> Result<Response<RecordConsentResponse>, Status> {
        let caller = caller(&request)?;
        let key = Key::from_request(&request);
        let message = request.into_inner();
        let mut fields = Fields::new();
        let worker = fields.parse_optional("worker_id", &message.worker_id);
        let template = fields.text("template", &message.template, LONGEST_TEMPLATE);
        fields.check(message.accepted <= MOST_ACCEPTED, "accepted", "is above 10");
        fields.finish()?;
        let Some(template) = template else { return Err(unread()) };
        let cmd = RecordConsent { caller, worker, template, accepted: message.accepted, key };
        let balance = self.app.record_consent(cmd).await.map_err(status)?;
        Ok(Response::new(RecordConsentResponse { balance }))
    }

    async fn mark_task_read(
        &self,
        request: Request<MarkTaskReadRequest>,
    ) -> Result<Response<MarkTaskReadResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let worker = fields.parse_optional("worker_id", &message.worker_id);
        let day = fields.parse("daily_ticket_id", &message.daily_ticket_id);
        fields.finish()?;
        let Some(day) = day else { return Err(unread()) };
        self.app.mark_task_read(&caller, worker, day).await.map_err(status)?;
        Ok(Response::new(MarkTaskReadResponse {}))
    }
}

/// The one table from errors to statuses. Only what someone should act on is logged as an error.
fn status(err: Error) -> Status {
    let refusal = match err {
        Error::NotFound => Refusal::new(ErrorCode::NotFound),
        Error::Refused(NotAllowed::TooOften) => {
            Refusal::new(ErrorCode::TooManyRequests).data("retries_a_day", 3)
        }
        Error::Refused(NotAllowed::State { from, to }) => Refusal::new(ErrorCode::StateConflict)
            .data("from", from.as_str())
            .data("to", to.as_str()),
        Error::Refused(NotAllowed::Withdrawn { from, why }) => {
            Refusal::new(ErrorCode::StateConflict)
                .data("from", from.as_str())
                .data("to", domain::Status::Queued.as_str())
                .data("reason", why.as_str())
        }
        Error::KeyReused => Refusal::new(ErrorCode::IdempotencyKeyReused),
        Error::Store(err) => Refusal::from(&err),
    };
    refusal.into()
}

/// Never reached: what could not be read was recorded, and the finish before this refused it.
fn unread() -> Status {
    Refusal::new(ErrorCode::ValidationFailed).into()
}

#[cfg(test)]
mod tests {
    use super::POLICY;

    #[test]
    fn every_call_has_a_policy() {
        let named: Vec<&str> = POLICY.iter().map(|(path, _)| *path).collect();
        assert_eq!(named, proto::methods("notification"));
    }
}
