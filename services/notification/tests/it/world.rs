use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth::Caller;
use axum::routing::post;
use chrono::TimeDelta;
use events::testing::{delivery, outbox};
use events::{Delivery, Handler, Outcome};
use notification::app::{App, Claimed, RecordConsent, Templates};
use notification::consumers::{AnnounceTicket, FollowAreas, FollowTickets, FollowWorkers};
use notification::domain::Status;
use proto::Event;
use proto::directory::v1::{
    Area, AreaChanged, ResolveWorkersRequest, ResolveWorkersResponse, ResolvedWorker, Worker,
    WorkerBound, WorkerChanged,
};
use proto::notification::v1::notification_service_client::NotificationServiceClient;
use proto::notification::v1::{ListNotificationsRequest, Notification};
use proto::ticket::v1::{DailyTicket, Ticket, TicketPublished};
use service::config::Secret;
use service::grpc::{Access, Policy, Transport};
use service::{Refusal, Store};
use sqlx::Row;
use test_support::Harness;
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic::{Request, Response, Status as GrpcStatus};
use tonic_prost::ProstCodec;
use tower::service_fn;
use types::{AreaId, ContractorId, DailyTicketId, ErrorCode, SiteId, TicketId, VideoId, WorkerId};

use crate::wechat_fake::Wechat;

pub(crate) const TEMPLATE: &str = "template-of-published-tickets";
const RESOLVE_WORKERS: &str = "/sitepass.directory.v1.DirectoryService/ResolveWorkers";
const DIRECTORY: Policy = &[(RESOLVE_WORKERS, Access::Service)];

/// Whom directory knows no openid of, how often it was asked, and whether it answers at all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    pub(crate) unbound: Arc<Mutex<Vec<String>>>,
    pub(crate) asked: Arc<Mutex<u32>>,
    pub(crate) away: Arc<Mutex<bool>>,
}

impl Directory {
    fn routes(&self) -> Routes {
        let directory = self.clone();
        let call = post(move |request: axum::extract::Request| async move {
            let codec = ProstCodec::<ResolveWorkersResponse, ResolveWorkersRequest>::default();
            let answer = service_fn(move |request| std::future::ready(directory.answer(&request)));
            Grpc::new(codec).unary(answer, request).await
        });
        Routes::from(axum::Router::new().route(RESOLVE_WORKERS, call))
    }

    fn answer(
        &self,
        request: &Request<ResolveWorkersRequest>,
    ) -> Result<Response<ResolveWorkersResponse>, GrpcStatus> {
        let caller = service::grpc::caller(request)?;
        assert_eq!(caller.service_name(), Some("notification"));
        let message = request.get_ref();
        assert_eq!(message.purpose, "WECHAT_NOTICE");
        *self.asked.lock().unwrap() += 1;
        if *self.away.lock().unwrap() {
            return Err(Refusal::new(ErrorCode::StoreUnavailable).into());
        }
        let unbound = self.unbound.lock().unwrap();
        let resolved = |id: &String| ResolvedWorker {
            openid: if unbound.contains(id) { String::new() } else { format!("openid-{id}") },
            worker_id: id.clone(),
            ..ResolvedWorker::default()
        };
        let workers = message.worker_ids.iter().map(resolved).collect();
        Ok(Response::new(ResolveWorkersResponse { workers }))
    }
}

/// A site with a contractor, an area, bound workers, and the service under test.
pub(crate) struct World {
    pub(crate) harness: Harness,
    pub(crate) store: Store,
    pub(crate) app: App,
    pub(crate) wechat: Wechat,
    pub(crate) directory: Directory,
    pub(crate) site: SiteId,
    pub(crate) contractor: ContractorId,
    pub(crate) area: AreaId,
}

impl World {
    pub(crate) async fn new() -> Self {
        let harness = Harness::new().await;
        let wechat = Wechat::start(&harness).await;
        let store = harness.store("notification").await;
        let app = app(&harness, &store, wechat.address);
        let routes = notification::grpc::routes(app.clone());
        service::grpc::serve(
            &harness.shell,
            "notification",
            routes,
            notification::grpc::POLICY,
            None,
        );
        let directory = Directory::default();
        service::grpc::serve(&harness.shell, "directory", directory.routes(), DIRECTORY, None);
        let (site, contractor, area) = (SiteId::new(), ContractorId::new(), AreaId::new());
        Self { harness, store, app, wechat, directory, site, contractor, area }
    }

    pub(crate) fn client(&self) -> NotificationServiceClient<Transport> {
        NotificationServiceClient::new(self.harness.shell.peers.transport("notification"))
    }

    pub(crate) fn wait(&self, by: TimeDelta) {
        self.harness.shell.clock.advance(by);
    }

    /// Makes a worker who is bound and known to be.
    pub(crate) async fn worker(&self) -> WorkerId {
        let worker = WorkerId::new();
        self.tell(&FollowWorkers, &bound(worker, true, 1)).await;
        worker
    }

    /// The same, with consents.
    pub(crate) async fn consenting(&self, accepted: u32) -> WorkerId {
        let worker = self.worker().await;
        self.consent(worker, accepted).await;
        worker
    }

    pub(crate) async fn consent(&self, worker: WorkerId, accepted: u32) -> u32 {
        let cmd = RecordConsent {
            caller: self.own(worker),
            worker: None,
            template: "TICKET_PUBLISHED".to_owned(),
            accepted,
            key: None,
        };
        self.app.record_consent(cmd).await.unwrap()
    }

    pub(crate) async fn balance(&self, worker: WorkerId) -> u32 {
        self.consent(worker, 0).await
    }

    pub(crate) fn own(&self, worker: WorkerId) -> Caller {
        self.harness.verified(&self.harness.worker(worker, self.site))
    }

    /// A ticket of three days: over, today and tomorrow.
    pub(crate) fn ticket(&self, workers: &[WorkerId]) -> Ticket {
        let day = |date: &str, status: &str| DailyTicket {
            daily_ticket_id: DailyTicketId::new().to_string(),
            date: date.to_owned(),
            status: status.to_owned(),
            deadline_at: Some(proto::timestamp("2026-03-01T23:30:00Z".parse().unwrap())),
            ..DailyTicket::default()
        };
        Ticket {
            ticket_id: TicketId::new().to_string(),
            site_id: self.site.to_string(),
            contractor_id: self.contractor.to_string(),
            title: "三层模板安装".to_owned(),
            time_zone: "Asia/Shanghai".to_owned(),
            publish_now: true,
            area_ids: vec![self.area.to_string()],
            worker_ids: workers.iter().map(ToString::to_string).collect(),
            video_ids: vec![VideoId::new().to_string()],
            daily_tickets: vec![
                day("2026-03-03", "PUBLISHED"),
                day("2026-03-01", "EXPIRED"),
                day("2026-03-02", "IN_PROGRESS"),
            ],
            version: 1,
            ..Ticket::default()
        }
    }

    /// Publishes a ticket for these workers and answers it.
    pub(crate) async fn publish(&self, workers: &[WorkerId]) -> Ticket {
        let ticket = self.ticket(workers);
        let fact = published(&ticket);
        self.tell(&AnnounceTicket, &fact).await;
        self.tell(&FollowTickets, &fact).await;
        ticket
    }

    pub(crate) async fn name_area(&self, name: &str, version: u64) {
        let area = Area {
            area_id: self.area.to_string(),
            site_id: self.site.to_string(),
            name: name.to_owned(),
            version,
            ..Area::default()
        };
        self.tell(&FollowAreas, &delivery(&AreaChanged { area: Some(area) })).await;
    }

    pub(crate) async fn tell<H: Handler>(&self, handler: &H, fact: &Delivery) {
        let outcome = events::deliver(&self.store, handler, fact).await.unwrap();
        assert_eq!(outcome, Outcome::Handled);
    }

    pub(crate) async fn send(&self) -> usize {
        self.app.send_due().await.unwrap()
    }

    pub(crate) async fn claim(&self) -> Claimed {
        self.app.claim_due().await.unwrap()
    }

    /// Every notice of the site, oldest first.
    pub(crate) async fn notices(&self) -> Vec<Notification> {
        let admin = self.harness.sysadmin(&[self.site]);
        let request = self.harness.request(&admin, ListNotificationsRequest::default());
        let mut notices =
            self.client().list_notifications(request).await.unwrap().into_inner().notifications;
        notices.reverse();
        notices
    }

    /// Status, reason and attempts of the only notice.
    pub(crate) async fn fate(&self) -> (String, String, u32) {
        let notice = self.only().await;
        (notice.status, notice.reason, notice.attempts)
    }

    pub(crate) async fn only(&self) -> Notification {
        let mut notices = self.notices().await;
        assert_eq!(notices.len(), 1);
        notices.remove(0)
    }

    /// Every fact of this kind in the outbox.
    pub(crate) async fn facts<E: Event>(&self) -> Vec<E> {
        let facts = outbox(&self.store).await.into_iter().filter(|(name, _)| name == E::NAME);
        facts.map(|(_, data)| E::decode(data.as_slice()).unwrap()).collect()
    }

    /// How many facts of any name are in the outbox.
    pub(crate) async fn told(&self, name: &str) -> usize {
        outbox(&self.store).await.iter().filter(|(told, _)| told == name).count()
    }

    pub(crate) async fn rows(&self, table: &'static str) -> i64 {
        sqlx::query(match table {
            "notices" => "SELECT count(*) FROM notification.notices",
            "task_reads" => "SELECT count(*) FROM notification.task_reads",
            _ => panic!("no such table"),
        })
        .fetch_one(&self.harness.database.admin())
        .await
        .unwrap()
        .get(0)
    }
}

pub(crate) fn app(harness: &Harness, store: &Store, address: SocketAddr) -> App {
    let http = service::http::Client::new(Duration::from_millis(500)).unwrap();
    let config = wechat::Config {
        url: format!("http://{address}"),
        appid: "wx0000000000000001".to_owned(),
        secret: Secret::new(b"secret"),
    };
    let wechat = wechat::Client::new(config, http, harness.shell.system.clone());
    let templates = Templates { ticket_published: TEMPLATE.to_owned() };
    App::new(harness.shell.clone(), store.clone(), wechat, templates)
}

pub(crate) fn published(ticket: &Ticket) -> Delivery {
    delivery(&TicketPublished { ticket: Some(ticket.clone()), ..TicketPublished::default() })
}

/// Directory's word on a worker.
pub(crate) fn bound(worker: WorkerId, bound: bool, version: u64) -> Delivery {
    let worker =
        Some(Worker { worker_id: worker.to_string(), bound, version, ..Worker::default() });
    if bound {
        delivery(&WorkerBound { worker, ..WorkerBound::default() })
    } else {
        delivery(&WorkerChanged { worker })
    }
}

/// How a status, its reason and attempts are compared.
pub(crate) fn fate(status: Status, reason: &str, attempts: u32) -> (String, String, u32) {
    (status.to_string(), reason.to_owned(), attempts)
}
