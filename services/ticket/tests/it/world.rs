//! A site, its contractor and a ticket to ask for; one helper a call.

use auth::Caller;
use proto::ticket::v1::ticket_service_client::TicketServiceClient;
use proto::ticket::v1::{
    AddWorkersRequest, AmendTicketRequest, AmendTicketResponse, CancelDailyTicketRequest,
    CancelTicketRequest, CopyTicketRequest, CopyTicketResponse, CreateTicketRequest,
    CreateTicketResponse, Effects, ExportTicketRequest, ExportTicketResponse,
    GetDailyTicketRequest, GetDailyTicketResponse, GetTicketRequest, GetTicketResponse,
    ListTicketHistoryRequest, ListTicketsRequest, ListTicketsResponse, ListWorkerTasksRequest,
    ListWorkerTasksResponse, PublishTicketRequest, PublishTicketResponse, RemoveWorkerRequest,
    Ticket, TicketEdit,
};
use service::grpc::Transport;
use service::{Refusal, Store};
use test_support::Harness;
use ticket::app::{App, Lifecycle};
use tonic::Request;
use types::{AreaId, ContractorId, ErrorCode, SiteId, VideoId, WorkerId};

use crate::peers::{self, Peers};

pub(crate) struct World {
    pub(crate) harness: Harness,
    pub(crate) store: Store,
    pub(crate) app: App,
    pub(crate) peers: Peers,
    pub(crate) site: SiteId,
    pub(crate) contractor: ContractorId,
    pub(crate) area: AreaId,
    pub(crate) workers: [WorkerId; 2],
    pub(crate) video: VideoId,
    /// The contractor's administrator.
    pub(crate) admin: Caller,
}

impl World {
    /// One run of the lifecycle now.
    pub(crate) async fn run_lifecycle(&self) -> Lifecycle {
        let run = schedule::testing::run(&self.store, "ticket.lifecycle", self.harness.now()).await;
        self.app.run_lifecycle(&run).await.unwrap()
    }

    pub(crate) async fn new() -> Self {
        let harness = Harness::new().await;
        let store = harness.store("ticket").await;
        let peers = peers::provide(&harness.shell);
        let app = App::new(harness.shell.clone(), store.clone());
        service::grpc::serve(
            &harness.shell,
            "ticket",
            ticket::routes(app.clone()),
            ticket::POLICY,
            None,
        );
        let (site, contractor) = (SiteId::new(), ContractorId::new());
        let admin = harness.contractor_admin(site, contractor);
        Self {
            harness,
            store,
            app,
            peers,
            site,
            contractor,
            area: AreaId::new(),
            workers: [WorkerId::new(), WorkerId::new()],
            video: VideoId::new(),
            admin,
        }
    }

    pub(crate) fn client(&self) -> TicketServiceClient<Transport> {
        TicketServiceClient::new(self.harness.shell.peers.transport("ticket"))
    }

    /// Three days from today (2 March 2026, 08:00 at the site), by the site's defaults.
    pub(crate) fn three_days(&self) -> CreateTicketRequest {
        CreateTicketRequest {
            title: "1#楼钢筋绑扎".to_owned(),
            site_id: self.site.to_string(),
            contractor_id: self.contractor.to_string(),
            start_date: "2026-03-02".to_owned(),
            end_date: "2026-03-04".to_owned(),
            area_ids: vec![self.area.to_string()],
            worker_ids: self.workers.iter().map(ToString::to_string).collect(),
            video_ids: vec![self.video.to_string()],
            ..CreateTicketRequest::default()
        }
    }

    pub(crate) fn draft(&self) -> CreateTicketRequest {
        CreateTicketRequest { draft: true, ..self.three_days() }
    }

    pub(crate) async fn create(
        &self,
        caller: &Caller,
        message: CreateTicketRequest,
    ) -> Result<CreateTicketResponse, Refusal> {
        self.send(self.harness.request(caller, message)).await
    }

    pub(crate) async fn create_with_key(
        &self,
        key: &str,
        message: CreateTicketRequest,
    ) -> Result<CreateTicketResponse, Refusal> {
        let mut request = self.harness.request(&self.admin, message);
        request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    async fn send(
        &self,
        request: Request<CreateTicketRequest>,
    ) -> Result<CreateTicketResponse, Refusal> {
        let answer = self.client().create_ticket(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
    }

    /// The identifier of a ticket just made by the contractor's administrator.
    pub(crate) async fn created(&self, message: CreateTicketRequest) -> String {
        self.create(&self.admin, message).await.unwrap().ticket_id
    }

    pub(crate) async fn publish(
        &self,
        caller: &Caller,
        ticket_id: &str,
    ) -> Result<PublishTicketResponse, Refusal> {
        let message = PublishTicketRequest { ticket_id: ticket_id.to_owned() };
        let answer = self.client().publish_ticket(self.harness.request(caller, message)).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
    }

    pub(crate) async fn cancel(
        &self,
        caller: &Caller,
        ticket_id: &str,
        reason: &str,
    ) -> Result<(), Refusal> {
        self.cancelling(caller, ticket_id, reason, false).await.map(|_| ())
    }

    /// What cancelling brings, or would bring.
    pub(crate) async fn cancelling(
        &self,
        caller: &Caller,
        ticket_id: &str,
        reason: &str,
        preview: bool,
    ) -> Result<Effects, Refusal> {
        let (ticket_id, reason) = (ticket_id.to_owned(), reason.to_owned());
        let message = CancelTicketRequest { ticket_id, reason, preview };
        let answer = self.client().cancel_ticket(self.harness.request(caller, message)).await;
        let effects = answer.map(|answer| answer.into_inner().effects.unwrap());
        effects.map_err(|status| Refusal::from_status(&status))
    }

    pub(crate) async fn cancel_day(
        &self,
        caller: &Caller,
        daily_ticket_id: &str,
        preview: bool,
    ) -> Result<Effects, Refusal> {
        let (daily_ticket_id, reason) = (daily_ticket_id.to_owned(), "rain".to_owned());
        let message = CancelDailyTicketRequest { daily_ticket_id, reason, preview };
        let answer = self.client().cancel_daily_ticket(self.harness.request(caller, message)).await;
        let effects = answer.map(|answer| answer.into_inner().effects.unwrap());
        effects.map_err(|status| Refusal::from_status(&status))
    }

    /// An amendment of the ticket as it now is that changes nothing yet.
    pub(crate) async fn amendment(&self, ticket_id: &str) -> AmendTicketRequest {
        AmendTicketRequest {
            ticket_id: ticket_id.to_owned(),
            revision: self.ticket(ticket_id).await.revision,
            reason: "暴雨".to_owned(),
            ..AmendTicketRequest::default()
        }
    }

    pub(crate) async fn amend(
        &self,
        caller: &Caller,
        message: AmendTicketRequest,
    ) -> Result<AmendTicketResponse, Refusal> {
        let answer = self.client().amend_ticket(self.harness.request(caller, message)).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
    }

    pub(crate) async fn add_workers(
        &self,
        caller: &Caller,
        ticket_id: &str,
        worker_ids: &[String],
    ) -> Result<Effects, Refusal> {
        self.adding(caller, ticket_id, worker_ids, false).await
    }

    /// What adding them brings, or would bring.
    pub(crate) async fn adding(
        &self,
        caller: &Caller,
        ticket_id: &str,
        worker_ids: &[String],
        preview: bool,
    ) -> Result<Effects, Refusal> {
        let message = AddWorkersRequest {
            ticket_id: ticket_id.to_owned(),
            worker_ids: worker_ids.to_vec(),
            reason: "more hands".to_owned(),
            preview,
        };
        let answer = self.client().add_workers(self.harness.request(caller, message)).await;
        let effects = answer.map(|answer| answer.into_inner().effects.unwrap());
        effects.map_err(|status| Refusal::from_status(&status))
    }

    pub(crate) async fn remove_worker(
        &self,
        caller: &Caller,
        ticket_id: &str,
        worker_id: &str,
    ) -> Result<Effects, Refusal> {
        self.removing(caller, ticket_id, worker_id, false).await
    }

    /// What taking them off brings, or would bring.
    pub(crate) async fn removing(
        &self,
        caller: &Caller,
        ticket_id: &str,
        worker_id: &str,
        preview: bool,
    ) -> Result<Effects, Refusal> {
        let message = RemoveWorkerRequest {
            ticket_id: ticket_id.to_owned(),
            worker_id: worker_id.to_owned(),
            reason: "ill".to_owned(),
            preview,
        };
        let answer = self.client().remove_worker(self.harness.request(caller, message)).await;
        let effects = answer.map(|answer| answer.into_inner().effects.unwrap());
        effects.map_err(|status| Refusal::from_status(&status))
    }

    pub(crate) async fn copy(
        &self,
        caller: &Caller,
        key: Option<&str>,
        message: CopyTicketRequest,
    ) -> Result<CopyTicketResponse, Refusal> {
        let mut request = self.harness.request(caller, message);
        if let Some(key) = key {
            request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
        }
        let answer = self.client().copy_ticket(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
    }

    /// Every edit, the newest first.
    pub(crate) async fn history(
        &self,
        caller: &Caller,
        ticket_id: &str,
    ) -> Result<Vec<TicketEdit>, Refusal> {
        let message = ListTicketHistoryRequest { ticket_id: ticket_id.to_owned(), page: None };
        let request = self.harness.request(caller, message);
        let answer = self.client().list_ticket_history(request).await;
        let edits = answer.map(|answer| answer.into_inner().edits);
        edits.map_err(|status| Refusal::from_status(&status))
    }

    /// May change everything on the site.
    pub(crate) fn sysadmin(&self) -> Caller {
        self.harness.sysadmin(&[self.site])
    }

    pub(crate) async fn get(
        &self,
        caller: &Caller,
        ticket_id: &str,
    ) -> Result<GetTicketResponse, Refusal> {
        let message = GetTicketRequest { ticket_id: ticket_id.to_owned() };
        let answer = self.client().get_ticket(self.harness.request(caller, message)).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
    }

    pub(crate) async fn ticket(&self, ticket_id: &str) -> Ticket {
        self.get(&self.admin, ticket_id).await.unwrap().ticket.unwrap()
    }

    pub(crate) async fn daily(
        &self,
        caller: &Caller,
        daily_ticket_id: &str,
    ) -> Result<GetDailyTicketResponse, Refusal> {
        let message = GetDailyTicketRequest {
            daily_ticket_id: daily_ticket_id.to_owned(),
            ..GetDailyTicketRequest::default()
        };
        self.daily_page(caller, message).await
    }

    pub(crate) async fn daily_page(
        &self,
        caller: &Caller,
        message: GetDailyTicketRequest,
    ) -> Result<GetDailyTicketResponse, Refusal> {
        let answer = self.client().get_daily_ticket(self.harness.request(caller, message)).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
    }

    pub(crate) async fn list(
        &self,
        caller: &Caller,
        message: ListTicketsRequest,
    ) -> Result<ListTicketsResponse, Refusal> {
        let answer = self.client().list_tickets(self.harness.request(caller, message)).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
    }

    pub(crate) async fn export(
        &self,
        caller: &Caller,
        message: ExportTicketRequest,
    ) -> Result<ExportTicketResponse, Refusal> {
        let answer = self.client().export_ticket(self.harness.request(caller, message)).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
    }

    pub(crate) async fn tasks(
        &self,
        caller: &Caller,
        worker_id: &str,
    ) -> Result<ListWorkerTasksResponse, Refusal> {
        let message = ListWorkerTasksRequest { worker_id: worker_id.to_owned() };
        let answer = self.client().list_worker_tasks(self.harness.request(caller, message)).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
    }

    /// The names of the facts in the outbox, in order.
    pub(crate) async fn facts(&self) -> Vec<String> {
        let facts = events::testing::outbox(&self.store).await;
        facts.into_iter().map(|(name, _)| name).collect()
    }

    /// The last fact of that name.
    pub(crate) async fn fact<M: prost::Message + Default>(&self, name: &str) -> M {
        let facts = events::testing::outbox(&self.store).await;
        let (_, data) = facts.into_iter().rfind(|(each, _)| each == name).unwrap();
        M::decode(data.as_slice()).unwrap()
    }

    pub(crate) async fn count(&self, table: &'static str) -> i64 {
        let sql = match table {
            "work_tickets" => "SELECT count(*) FROM ticket.work_tickets",
            "idempotency_keys" => "SELECT count(*) FROM ticket.idempotency_keys",
            other => panic!("no count of {other}"),
        };
        sqlx::query_scalar(sql).fetch_one(&self.harness.database.admin()).await.unwrap()
    }
}

/// The statuses of a ticket's days, by date.
pub(crate) fn days(ticket: &Ticket) -> Vec<&str> {
    ticket.daily_tickets.iter().map(|day| day.status.as_str()).collect()
}

/// The fields a refusal names.
pub(crate) fn names(refusal: &Refusal) -> Vec<&str> {
    refusal.fields.iter().map(|problem| problem.field.as_str()).collect()
}

pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> ErrorCode {
    answer.unwrap_err().code
}
