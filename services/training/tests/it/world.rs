#![expect(clippy::unwrap_used, reason = "a test's helper")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth::Caller;
use axum::routing::post;
use blobs::{Blobs, UrlSigner};
use chrono::{DateTime, TimeDelta, Utc};
use events::Handler;
use events::testing::{delivery, outbox};
use prost::Message;
use proto::directory::v1::{
    ResolveWorkersRequest, ResolveWorkersResponse, ResolvedWorker, Site, SiteChanged, SiteSettings,
};
use proto::ticket::v1::{
    DailyTicket, DailyTicketExpired, Ticket, TicketAmended, TicketCancelled, TicketPublished,
};
use proto::timestamp;
use proto::training::v1::training_service_client::TrainingServiceClient;
use proto::training::v1::training_service_server::TrainingServiceServer;
use proto::training::v1::{AddVideoRequest, Video};
use service::grpc::{Access, Policy, Transport};
use service::{Refusal, Store};
use tempfile::TempDir;
use test_support::Harness;
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;
use training::app::App;
use training::consumers::{KeepDays, KeepSites};
use training::face::{FaceProvider, Person, Unavailable, Verdict};
use training::grpc::POLICY;
use types::{ContractorId, DailyTicketId, ErrorCode, SiteId, TicketId, VideoId, WorkerId};

pub(crate) const DEMO: &[u8] = include_bytes!("../../../../demo/safety-video.mp4");

/// A provider whose verdicts the test sets; until it does, everyone passes.
#[derive(Debug, Default)]
pub(crate) struct FakeFaces {
    pub(crate) verdict: Mutex<Option<Result<Verdict, Unavailable>>>,
    asked: Mutex<BTreeMap<String, String>>,
}

#[async_trait]
impl FaceProvider for FakeFaces {
    fn name(&self) -> &'static str {
        "FAKE"
    }

    async fn start(&self, person: &Person, out_seq_no: &str) -> Result<String, Unavailable> {
        if let Some(Err(unavailable)) = *self.verdict.lock().unwrap() {
            return Err(unavailable);
        }
        assert!((5..=32).contains(&out_seq_no.len()));
        let verify_id = format!("verify-{out_seq_no}");
        self.asked.lock().unwrap().insert(verify_id.clone(), person.openid.clone());
        Ok(verify_id)
    }

    async fn verdict(
        &self,
        person: &Person,
        verify_id: &str,
        out_seq_no: &str,
    ) -> Result<Verdict, Unavailable> {
        assert_eq!(verify_id, format!("verify-{out_seq_no}"));
        assert_eq!(self.asked.lock().unwrap().get(verify_id), Some(&person.openid));
        self.verdict.lock().unwrap().unwrap_or(Ok(Verdict::Passed))
    }
}

const RESOLVE_WORKERS: &str = "/sitepass.directory.v1.DirectoryService/ResolveWorkers";

/// A directory that knows every worker, for face verifications alone.
fn directory() -> Routes {
    let call = post(|request: axum::extract::Request| async move {
        let codec = ProstCodec::<ResolveWorkersResponse, ResolveWorkersRequest>::default();
        Grpc::new(codec).unary(service_fn(resolve_workers), request).await
    });
    Routes::from(axum::Router::new().route(RESOLVE_WORKERS, call))
}

async fn resolve_workers(
    request: Request<ResolveWorkersRequest>,
) -> Result<Response<ResolveWorkersResponse>, Status> {
    assert_eq!(service::grpc::caller(&request)?.service_name(), Some("training"));
    let message = request.into_inner();
    assert_eq!(message.purpose, "FACE_VERIFICATION");
    let resolved = |id: String| ResolvedWorker {
        name: "测试工人01".to_owned(),
        id_no: "659999199001011237".to_owned(),
        openid: format!("openid-{id}"),
        worker_id: id,
        ..ResolvedWorker::default()
    };
    let workers = message.worker_ids.into_iter().map(resolved).collect();
    Ok(Response::new(ResolveWorkersResponse { workers }))
}

const DIRECTORY: Policy = &[(RESOLVE_WORKERS, Access::Service)];

/// A site with a contractor, a worker and the service under test.
pub(crate) struct World {
    pub(crate) harness: Harness,
    pub(crate) store: Store,
    pub(crate) faces: Arc<FakeFaces>,
    pub(crate) blobs: Blobs,
    pub(crate) site: SiteId,
    pub(crate) contractor: ContractorId,
    pub(crate) worker: WorkerId,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let harness = Harness::new().await;
        let store = harness.store("training").await;
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(folder.path()).unwrap();
        let signer = UrlSigner::new(&[7; 32]).unwrap();
        let faces = Arc::new(FakeFaces::default());
        let pick = Arc::new(|range: std::ops::RangeInclusive<u32>| *range.start());
        let app = App::new(
            &harness.shell,
            store.clone(),
            blobs.clone(),
            signer,
            Arc::clone(&faces) as _,
            pick,
        );
        let server = TrainingServiceServer::new(training::grpc::Grpc::new(app))
            .max_decoding_message_size(64 << 20);
        service::grpc::serve(&harness.shell, "training", Routes::new(server), POLICY, None);
        service::grpc::serve(&harness.shell, "directory", directory(), DIRECTORY, None);
        let (site, contractor, worker) = (SiteId::new(), ContractorId::new(), WorkerId::new());
        Self { harness, store, faces, blobs, site, contractor, worker, _folder: folder }
    }

    pub(crate) fn client(&self) -> TrainingServiceClient<Transport> {
        let client = TrainingServiceClient::new(self.harness.shell.peers.transport("training"));
        client.max_encoding_message_size(64 << 20)
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.harness.now()
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.harness.shell.clock.advance(TimeDelta::seconds(seconds));
    }

    pub(crate) fn verdict(&self, verdict: Result<Verdict, Unavailable>) {
        *self.faces.verdict.lock().unwrap() = Some(verdict);
    }

    pub(crate) fn admin(&self) -> Caller {
        self.harness.sysadmin(&[self.site])
    }

    pub(crate) fn request<M>(&self, caller: &Caller, message: M) -> Request<M> {
        self.harness.request(caller, message)
    }

    pub(crate) async fn add_video(&self) -> Video {
        let message = AddVideoRequest {
            site_id: self.site.to_string(),
            title: "班前安全教育".to_owned(),
            content: DEMO.to_vec(),
        };
        let answer = self.client().add_video(self.request(&self.admin(), message)).await.unwrap();
        answer.into_inner().video.unwrap()
    }

    /// A ticket for the worker with one day that is in progress; not told to the service yet.
    pub(crate) fn ticket(&self, videos: &[VideoId]) -> Ticket {
        let now = self.now();
        let day = DailyTicket {
            daily_ticket_id: DailyTicketId::new().to_string(),
            date: "2026-03-02".to_owned(),
            status: "IN_PROGRESS".to_owned(),
            access_start_at: Some(timestamp(now)),
            access_end_at: Some(timestamp(now + TimeDelta::hours(12))),
            deadline_at: Some(timestamp(now + TimeDelta::hours(1))),
            starts_at: Some(timestamp(now)),
            expires_at: Some(timestamp(now + TimeDelta::hours(15))),
            ended_at: None,
        };
        Ticket {
            ticket_id: TicketId::new().to_string(),
            site_id: self.site.to_string(),
            contractor_id: self.contractor.to_string(),
            video_rule: "ALL".to_owned(),
            worker_ids: vec![self.worker.to_string()],
            video_ids: videos.iter().map(ToString::to_string).collect(),
            status: "ACTIVE".to_owned(),
            daily_tickets: vec![day],
            version: 1,
            ..Ticket::default()
        }
    }

    /// Tells the service of a ticket.
    pub(crate) async fn publish(&self, ticket: &Ticket) -> DailyTicketId {
        let event = TicketPublished { ticket: Some(ticket.clone()), ..TicketPublished::default() };
        self.deliver(&KeepDays, &event).await;
        ticket.daily_tickets[0].daily_ticket_id.parse().unwrap()
    }

    pub(crate) async fn amend(&self, ticket: &Ticket) {
        let event = TicketAmended { ticket: Some(ticket.clone()), ..TicketAmended::default() };
        self.deliver(&KeepDays, &event).await;
    }

    /// Cancels the ticket as its next version.
    pub(crate) async fn cancel(&self, ticket: &Ticket) {
        let mut ticket = Ticket {
            status: "CANCELLED".to_owned(),
            version: ticket.version + 1,
            ..ticket.clone()
        };
        ticket.daily_tickets[0].status = String::from("CANCELLED");
        let event = TicketCancelled { ticket: Some(ticket), ..TicketCancelled::default() };
        self.deliver(&KeepDays, &event).await;
    }

    /// Expires the ticket's day as its next version.
    pub(crate) async fn expire(&self, ticket: &Ticket) {
        let mut ticket = Ticket { version: ticket.version + 1, ..ticket.clone() };
        ticket.daily_tickets[0].status = String::from("EXPIRED");
        let event = DailyTicketExpired { ticket: Some(ticket), ..DailyTicketExpired::default() };
        self.deliver(&KeepDays, &event).await;
    }

    pub(crate) async fn settings(&self, version: u64, settings: SiteSettings) {
        let site = Site {
            site_id: self.site.to_string(),
            version,
            settings: Some(settings),
            ..Site::default()
        };
        self.deliver(&KeepSites, &SiteChanged { site: Some(site) }).await;
    }

    pub(crate) async fn deliver<E: proto::Event>(&self, handler: &impl Handler, event: &E) {
        let mut delivery = delivery(event);
        delivery.at = self.now();
        events::deliver(&self.store, handler, &delivery).await.unwrap();
    }

    /// Every fact of one kind in the outbox, in order.
    pub(crate) async fn facts<E: proto::Event>(&self) -> Vec<E> {
        let facts = outbox(&self.store).await.into_iter().filter(|(name, _)| name == E::NAME);
        facts.map(|(_, data)| E::decode(data.as_slice()).unwrap()).collect()
    }

    /// The audited actions, in order.
    pub(crate) async fn audited(&self) -> Vec<String> {
        let facts =
            outbox(&self.store).await.into_iter().filter(|(name, _)| name == "CommandAudited");
        facts
            .map(|(_, data)| {
                proto::common::v1::CommandAudited::decode(data.as_slice()).unwrap().action
            })
            .collect()
    }
}

/// A day of one video on which the world's worker may train.
pub(crate) async fn day(world: &World) -> (Ticket, DailyTicketId, VideoId) {
    let video: VideoId = world.add_video().await.video_id.parse().unwrap();
    let ticket = world.ticket(&[video]);
    let day = world.publish(&ticket).await;
    (ticket, day, video)
}

/// The code and data a call was refused with.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> Refusal {
    Refusal::from_status(&answer.unwrap_err())
}

pub(crate) fn code<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> ErrorCode {
    refused(answer).code
}
