//! Requests to use cases, answers and refusals back. No rule lives here.

mod amend;
mod read;

use proto::ticket::v1::ticket_service_server::{TicketService, TicketServiceServer};
use proto::ticket::v1::{
    AddWorkersRequest, AddWorkersResponse, AmendTicketRequest, AmendTicketResponse,
    CancelDailyTicketRequest, CancelDailyTicketResponse, CancelTicketRequest, CancelTicketResponse,
    CopyTicketRequest, CopyTicketResponse, CreateTicketRequest, CreateTicketResponse, Effects,
    ExportTicketRequest, ExportTicketResponse, GetDailyTicketRequest, GetDailyTicketResponse,
    GetTicketRequest, GetTicketResponse, ListTicketHistoryRequest, ListTicketHistoryResponse,
    ListTicketsRequest, ListTicketsResponse, ListWorkerTasksRequest, ListWorkerTasksResponse,
    PublishTicketRequest, PublishTicketResponse, RemoveWorkerRequest, RemoveWorkerResponse,
};
use service::grpc::{Access, Policy, caller};
use service::idempotency::Key;
use service::{Fields, Refusal};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use types::{ErrorCode, Permission};

use crate::app::{App, CancelTicket, Error, Outcome, PublishedTicket, Task, TicketHistory};
use crate::domain::{NotAllowed, Roster, Warning};
use crate::wire;

/// The longest reason that is kept.
const LONGEST_REASON: usize = 200;

/// Who may make which call.
pub const POLICY: Policy = &[
    (
        "/sitepass.ticket.v1.TicketService/CreateTicket",
        Access::Permission(Permission::TicketCreate),
    ),
    (
        "/sitepass.ticket.v1.TicketService/PublishTicket",
        Access::Permission(Permission::TicketPublish),
    ),
    (
        "/sitepass.ticket.v1.TicketService/CancelTicket",
        Access::Permission(Permission::TicketCancel),
    ),
    ("/sitepass.ticket.v1.TicketService/ListTickets", Access::Permission(Permission::TicketRead)),
    ("/sitepass.ticket.v1.TicketService/GetTicket", Access::Permission(Permission::TicketRead)),
    (
        "/sitepass.ticket.v1.TicketService/GetDailyTicket",
        Access::Any(&[Access::Permission(Permission::TicketRead), Access::Service]),
    ),
    (
        "/sitepass.ticket.v1.TicketService/ListWorkerTasks",
        Access::Any(&[Access::Worker, Access::Service]),
    ),
    ("/sitepass.ticket.v1.TicketService/AmendTicket", Access::Permission(Permission::TicketAmend)),
    ("/sitepass.ticket.v1.TicketService/AddWorkers", Access::Permission(Permission::TicketAmend)),
    ("/sitepass.ticket.v1.TicketService/RemoveWorker", Access::Permission(Permission::TicketAmend)),
    (
        "/sitepass.ticket.v1.TicketService/CancelDailyTicket",
        Access::Permission(Permission::TicketCancel),
    ),
    ("/sitepass.ticket.v1.TicketService/CopyTicket", Access::Permission(Permission::TicketCreate)),
    (
        "/sitepass.ticket.v1.TicketService/ListTicketHistory",
        Access::Permission(Permission::TicketRead),
    ),
    (
        "/sitepass.ticket.v1.TicketService/ExportTicket",
        Access::Permission(Permission::TicketExport),
    ),
];

/// The calls of this service.
pub fn routes(app: App) -> Routes {
    Routes::new(TicketServiceServer::new(Tickets { app }))
}

#[derive(Debug)]
struct Tickets {
    app: App,
}

#[tonic::async_trait]
impl TicketService for Tickets {
    async fn create_ticket(
        &self,
        request: Request<CreateTicketRequest>,
    ) -> Result<Response<CreateTicketResponse>, Status> {
        let caller = caller(&request)?;
        let key = Key::from_request(&request);
        let cmd = read::create_ticket(caller, key, request.get_ref());
        let answer = self.app.create_ticket(cmd).await.map_err(status)?;
        Ok(Response::new(answer))
    }

    async fn publish_ticket(
        &self,
        request: Request<PublishTicketRequest>,
    ) -> Result<Response<PublishTicketResponse>, Status> {
        let caller = caller(&request)?;
        let id = read::id("ticket_id", &request.get_ref().ticket_id)?;
        let published = self.app.publish_ticket(&caller, id).await.map_err(status)?;
        let PublishedTicket { at, warnings, roster_synced_at } = published;
        Ok(Response::new(wire::ticket_is_public(id, at, &warnings, roster_synced_at)))
    }

    async fn cancel_ticket(
        &self,
        request: Request<CancelTicketRequest>,
    ) -> Result<Response<CancelTicketResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let ticket = fields.parse("ticket_id", &message.ticket_id);
        let reason = fields.text("reason", &message.reason, LONGEST_REASON);
        fields.finish()?;
        let (Some(ticket), Some(reason)) = (ticket, reason) else { return Err(unread()) };
        let cmd = CancelTicket { ticket, reason, preview: message.preview };
        let outcome = self.app.cancel_ticket(&caller, cmd).await.map_err(status)?;
        Ok(Response::new(CancelTicketResponse {
            ticket_id: message.ticket_id,
            revision: outcome.ticket.value.revision,
            effects: Some(effects(&outcome)),
        }))
    }

    async fn list_tickets(
        &self,
        request: Request<ListTicketsRequest>,
    ) -> Result<Response<ListTicketsResponse>, Status> {
        let caller = caller(&request)?;
        let (filter, sort, page) = read::list_tickets(request.get_ref())?;
        let (listings, total) =
            self.app.list_tickets(&caller, filter, sort, page).await.map_err(status)?;
        let tickets = listings.into_iter().map(wire::listing).collect();
        Ok(Response::new(ListTicketsResponse { tickets, total }))
    }

    async fn get_ticket(
        &self,
        request: Request<GetTicketRequest>,
    ) -> Result<Response<GetTicketResponse>, Status> {
        let caller = caller(&request)?;
        let id = read::id("ticket_id", &request.get_ref().ticket_id)?;
        let view = self.app.get_ticket(&caller, id).await.map_err(status)?;
        let days = view.ticket.value.days.iter().map(|day| {
            let (training, access) = view.counts.get(&day.id).copied().unwrap_or_default();
            wire::day_counts(day.id, training, access)
        });
        Ok(Response::new(GetTicketResponse {
            days: days.collect(),
            ticket: Some(wire::ticket(&view.ticket.value, view.ticket.version)),
            warnings: view.warnings.iter().map(wire::warning).collect(),
        }))
    }

    async fn get_daily_ticket(
        &self,
        request: Request<GetDailyTicketRequest>,
    ) -> Result<Response<GetDailyTicketResponse>, Status> {
        let caller = caller(&request)?;
        let (id, wanted) = read::get_daily_ticket(request.get_ref())?;
        let view = self.app.get_daily_ticket(&caller, id, wanted).await.map_err(status)?;
        let Roster { videos, video_rule, .. } = &view.roster;
        let progress = |each| wire::worker_progress(videos, *video_rule, each);
        Ok(Response::new(GetDailyTicketResponse {
            ticket: Some(wire::ticket(&view.ticket.value, view.ticket.version)),
            daily_ticket: Some(wire::daily_ticket(&view.day)),
            workers: view.workers.iter().map(progress).collect(),
            total: view.total,
        }))
    }

    async fn list_worker_tasks(
        &self,
        request: Request<ListWorkerTasksRequest>,
    ) -> Result<Response<ListWorkerTasksResponse>, Status> {
        let caller = caller(&request)?;
        let worker = match (caller.worker_id(), request.get_ref().worker_id.as_str()) {
            (Some(own), "") => own,
            (_, text) => read::id("worker_id", text)?,
        };
        let tasks = self.app.list_worker_tasks(&caller, worker).await.map_err(status)?;
        let task = |Task { ticket, day, progress }: &Task| {
            wire::worker_task(&ticket.value, ticket.version, day, progress)
        };
        Ok(Response::new(ListWorkerTasksResponse {
            date: tasks.date.to_string(),
            tasks: tasks.tasks.iter().map(task).collect(),
        }))
    }

    async fn amend_ticket(
        &self,
        request: Request<AmendTicketRequest>,
    ) -> Result<Response<AmendTicketResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let cmd = amend::amend_ticket(caller, &message)?;
        let outcome = self.app.amend_ticket(cmd).await.map_err(status)?;
        Ok(Response::new(AmendTicketResponse {
            ticket_id: message.ticket_id,
            revision: outcome.ticket.value.revision,
            effects: Some(effects(&outcome)),
            roster_synced_at: outcome.roster_synced_at.map(proto::timestamp),
        }))
    }

    async fn add_workers(
        &self,
        request: Request<AddWorkersRequest>,
    ) -> Result<Response<AddWorkersResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let cmd = amend::add_workers(caller, &message)?;
        let outcome = self.app.amend_ticket(cmd).await.map_err(status)?;
        let unbound = outcome.warnings.iter().filter_map(|warning| match warning {
            Warning::Unbound { worker } => Some(worker.to_string()),
            _ => None,
        });
        Ok(Response::new(AddWorkersResponse {
            unbound_worker_ids: unbound.filter(|id| message.worker_ids.contains(id)).collect(),
            ticket_id: message.ticket_id,
            revision: outcome.ticket.value.revision,
            effects: Some(effects(&outcome)),
            roster_synced_at: outcome.roster_synced_at.map(proto::timestamp),
        }))
    }

    async fn remove_worker(
        &self,
        request: Request<RemoveWorkerRequest>,
    ) -> Result<Response<RemoveWorkerResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let cmd = amend::remove_worker(caller, &message)?;
        let outcome = self.app.amend_ticket(cmd).await.map_err(status)?;
        Ok(Response::new(RemoveWorkerResponse {
            ticket_id: message.ticket_id,
            revision: outcome.ticket.value.revision,
            effects: Some(effects(&outcome)),
        }))
    }

    async fn cancel_daily_ticket(
        &self,
        request: Request<CancelDailyTicketRequest>,
    ) -> Result<Response<CancelDailyTicketResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let cmd = amend::cancel_daily_ticket(&message)?;
        let outcome = self.app.cancel_daily_ticket(&caller, cmd).await.map_err(status)?;
        Ok(Response::new(CancelDailyTicketResponse {
            ticket_id: outcome.ticket.value.id.to_string(),
            daily_ticket_id: message.daily_ticket_id,
            revision: outcome.ticket.value.revision,
            effects: Some(effects(&outcome)),
        }))
    }

    async fn copy_ticket(
        &self,
        request: Request<CopyTicketRequest>,
    ) -> Result<Response<CopyTicketResponse>, Status> {
        let caller = caller(&request)?;
        let key = Key::from_request(&request);
        let cmd = amend::copy_ticket(caller, key, request.get_ref())?;
        let made = self.app.copy_ticket(cmd).await.map_err(status)?;
        Ok(Response::new(CopyTicketResponse {
            ticket_id: made.ticket_id,
            unbound_worker_ids: made.unbound_worker_ids,
            warnings: made.warnings,
            roster_synced_at: made.roster_synced_at,
        }))
    }

    async fn list_ticket_history(
        &self,
        request: Request<ListTicketHistoryRequest>,
    ) -> Result<Response<ListTicketHistoryResponse>, Status> {
        let caller = caller(&request)?;
        let (ticket, page) = amend::list_ticket_history(request.get_ref())?;
        let TicketHistory { site, edits, total } =
            self.app.list_ticket_history(&caller, ticket, page).await.map_err(status)?;
        let (edits, site_id) = (wire::edits(edits), site.to_string());
        Ok(Response::new(ListTicketHistoryResponse { edits, total, site_id }))
    }

    async fn export_ticket(
        &self,
        request: Request<ExportTicketRequest>,
    ) -> Result<Response<ExportTicketResponse>, Status> {
        let caller = caller(&request)?;
        let (id, page) = read::export_ticket(request.get_ref())?;
        let export = self.app.export_ticket(&caller, id, page).await.map_err(status)?;
        let (ticket, version) = (&export.ticket.value, export.ticket.version);
        Ok(Response::new(wire::ticket_export(ticket, version, &export.workers, export.total)))
    }
}

fn effects(outcome: &Outcome) -> Effects {
    let site = outcome.ticket.value.site;
    wire::effects(site, &outcome.effects, &outcome.warnings, &outcome.changes)
}

/// The one table from errors to statuses. Only what someone should act on is logged as an error.
fn status(err: Error) -> Status {
    let refusal = match err {
        Error::NotFound | Error::Refused(NotAllowed::NoSuchDay) => {
            Refusal::new(ErrorCode::NotFound)
        }
        Error::Denied => Refusal::new(ErrorCode::PermissionDenied),
        Error::Stale => Refusal::new(ErrorCode::VersionConflict),
        Error::Invalid(refusal) | Error::Forbidden(refusal) | Error::Peer(refusal) => refusal,
        Error::Refused(refused) => state_conflict(refused),
        Error::KeyReused => Refusal::new(ErrorCode::IdempotencyKeyReused),
        Error::Nonsense { .. } => {
            tracing::error!(error = %err, "cannot go on");
            Refusal::new(ErrorCode::Internal)
        }
        Error::Store(err) => Refusal::from(&err),
    };
    refusal.into()
}

/// Says from what to what there is no way.
fn state_conflict(refused: NotAllowed) -> Refusal {
    let (from, to) = match refused {
        NotAllowed::Ticket { from, to } => (from.as_str(), to.as_str()),
        NotAllowed::Day { from, to } => (from.as_str(), to.as_str()),
        NotAllowed::Over { to } => ("EXPIRED", to.as_str()),
        NotAllowed::Amend { from } => (from.as_str(), "AMENDED"),
        NotAllowed::AmendOver => ("EXPIRED", "AMENDED"),
        NotAllowed::NotDue { to } => ("PUBLISHED", to.as_str()),
        NotAllowed::NoSuchDay => ("", ""),
    };
    Refusal::new(ErrorCode::StateConflict).data("from", from).data("to", to)
}

/// Never reached: what could not be read was recorded, and the finish before this refused it.
fn unread() -> Status {
    Refusal::new(ErrorCode::ValidationFailed).into()
}

#[cfg(test)]
mod tests {
    use service::{Refusal, StoreError};
    use types::ErrorCode;

    use super::status;
    use crate::app::Error;
    use crate::domain::{DayStatus, NotAllowed, Status};

    fn code(err: Error) -> ErrorCode {
        Refusal::from_status(&status(err)).code
    }

    #[test]
    fn each_error_has_its_code() {
        let late = NotAllowed::Over { to: Status::Active };
        let table = [
            (Error::NotFound, ErrorCode::NotFound),
            (Error::Denied, ErrorCode::PermissionDenied),
            (Error::Stale, ErrorCode::VersionConflict),
            (
                Error::Forbidden(Refusal::new(ErrorCode::PermissionDenied)),
                ErrorCode::PermissionDenied,
            ),
            (Error::Refused(NotAllowed::AmendOver), ErrorCode::StateConflict),
            (
                Error::Invalid(Refusal::new(ErrorCode::ValidationFailed)),
                ErrorCode::ValidationFailed,
            ),
            (
                Error::Peer(Refusal::new(ErrorCode::UpstreamUnavailable)),
                ErrorCode::UpstreamUnavailable,
            ),
            (Error::Refused(late), ErrorCode::StateConflict),
            (Error::Refused(NotAllowed::NoSuchDay), ErrorCode::NotFound),
            (Error::KeyReused, ErrorCode::IdempotencyKeyReused),
            (Error::Nonsense { service: "directory", problem: String::new() }, ErrorCode::Internal),
            (Error::Store(StoreError::Conflict), ErrorCode::VersionConflict),
            (Error::Store(StoreError::Unavailable), ErrorCode::StoreUnavailable),
            (Error::Store(StoreError::corrupt("work_tickets", 1)), ErrorCode::Internal),
        ];
        for (err, wanted) in table {
            let text = err.to_string();
            assert_eq!(code(err), wanted, "{text}");
        }
    }

    #[test]
    fn a_refused_transition_says_from_where_to_where() {
        let refused = NotAllowed::Day { from: DayStatus::Expired, to: DayStatus::Cancelled };
        let refusal = Refusal::from_status(&status(Error::Refused(refused)));
        assert_eq!(refusal.data["from"], "EXPIRED");
        assert_eq!(refusal.data["to"], "CANCELLED");
    }
}
