#![expect(clippy::unwrap_used, reason = "a test's helper")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth::Caller;
use blobs::{Blobs, UrlSigner};
use chrono::{DateTime, TimeDelta, Utc};
use events::Handler;
use events::testing::{delivery, outbox};
use prost::Message;
use proto::directory::v1::directory_service_server::{DirectoryService, DirectoryServiceServer};
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
use service::grpc::{Access, Transport};
use service::{Refusal, Store};
use tempfile::TempDir;
use test_support::Harness;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use training::app::App;
use training::consumers::{KeepDays, KeepSites};
use training::face::{FaceProvider, Person, Unavailable, Verdict};
use training::grpc::{Grpc, POLICY};
use types::{ContractorId, DailyTicketId, ErrorCode, SiteId, TicketId, VideoId, WorkerId};

pub const DEMO: &[u8] = include_bytes!("../../../../demo/safety-video.mp4");

/// A provider whose verdicts the test sets; until it does, everyone passes.
#[derive(Debug, Default)]
pub struct FakeFaces {
    pub verdict: Mutex<Option<Result<Verdict, Unavailable>>>,
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

/// A directory that knows every worker, and names each after their id.
#[derive(Debug)]
struct FakeDirectory;

macro_rules! refuse {
    ($($call:ident: $request:ident -> $response:ident),* $(,)?) => {
        $(
            async fn $call(
                &self,
                _: Request<proto::directory::v1::$request>,
            ) -> Result<Response<proto::directory::v1::$response>, Status> {
                Err(Status::unimplemented("not needed here"))
            }
        )*
    };
}

#[tonic::async_trait]
impl DirectoryService for FakeDirectory {
    async fn resolve_workers(
        &self,
        request: Request<ResolveWorkersRequest>,
    ) -> Result<Response<ResolveWorkersResponse>, Status> {
        let caller = service::grpc::caller(&request)?;
        assert_eq!(caller.service_name(), Some("training"));
        let message = request.into_inner();
        assert_eq!(message.purpose, "FACE_VERIFICATION");
        let resolved = |id: String| ResolvedWorker {
            name: "测试工人01".to_owned(),
            id_no: "659999199001011237".to_owned(),
            openid: format!("openid-{id}"),
            worker_id: id,
            ..ResolvedWorker::default()
        };
        Ok(Response::new(ResolveWorkersResponse {
            workers: message.worker_ids.into_iter().map(resolved).collect(),
        }))
    }

    refuse! {
        sign_in: SignInRequest -> SignInResponse,
        refresh_sign_in: RefreshSignInRequest -> RefreshSignInResponse,
        sign_out: SignOutRequest -> SignOutResponse,
        get_account: GetAccountRequest -> GetAccountResponse,
        create_site: CreateSiteRequest -> CreateSiteResponse,
        list_sites: ListSitesRequest -> ListSitesResponse,
        create_contractor: CreateContractorRequest -> CreateContractorResponse,
        list_contractors: ListContractorsRequest -> ListContractorsResponse,
        create_area: CreateAreaRequest -> CreateAreaResponse,
        list_areas: ListAreasRequest -> ListAreasResponse,
        create_account: CreateAccountRequest -> CreateAccountResponse,
        sync_workers: SyncWorkersRequest -> SyncWorkersResponse,
        search_workers: SearchWorkersRequest -> SearchWorkersResponse,
        name_workers: NameWorkersRequest -> NameWorkersResponse,
        check_references: CheckReferencesRequest -> CheckReferencesResponse,
        enter_mini_program: EnterMiniProgramRequest -> EnterMiniProgramResponse,
        send_sms_code: SendSmsCodeRequest -> SendSmsCodeResponse,
        bind_worker: BindWorkerRequest -> BindWorkerResponse,
        unbind_worker: UnbindWorkerRequest -> UnbindWorkerResponse,
    }
}

/// A site with a contractor, a worker and the service under test.
pub struct World {
    pub harness: Harness,
    pub store: Store,
    pub faces: Arc<FakeFaces>,
    pub blobs: Blobs,
    pub site: SiteId,
    pub contractor: ContractorId,
    pub worker: WorkerId,
    _folder: TempDir,
}

impl World {
    pub async fn new() -> Self {
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
        let server = TrainingServiceServer::new(Grpc::new(app)).max_decoding_message_size(64 << 20);
        service::grpc::serve(&harness.shell, "training", Routes::new(server), POLICY, None);
        let directory = Routes::new(DirectoryServiceServer::new(FakeDirectory));
        const RESOLVE: &[(&str, Access)] =
            &[("/sitepass.directory.v1.DirectoryService/ResolveWorkers", Access::Service)];
        service::grpc::serve(&harness.shell, "directory", directory, RESOLVE, None);
        let (site, contractor, worker) = (SiteId::new(), ContractorId::new(), WorkerId::new());
        Self { harness, store, faces, blobs, site, contractor, worker, _folder: folder }
    }

    pub fn client(&self) -> TrainingServiceClient<Transport> {
        let client = TrainingServiceClient::new(self.harness.shell.peers.transport("training"));
        client.max_encoding_message_size(64 << 20)
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.harness.now()
    }

    pub fn wait(&self, seconds: i64) {
        self.harness.shell.clock.advance(TimeDelta::seconds(seconds));
    }

    pub fn verdict(&self, verdict: Result<Verdict, Unavailable>) {
        *self.faces.verdict.lock().unwrap() = Some(verdict);
    }

    pub fn admin(&self) -> Caller {
        self.harness.sysadmin(&[self.site])
    }

    pub fn request<M>(&self, caller: &Caller, message: M) -> Request<M> {
        self.harness.request(caller, message)
    }

    pub async fn add_video(&self) -> Video {
        let message = AddVideoRequest {
            site_id: self.site.to_string(),
            title: "班前安全教育".to_owned(),
            content: DEMO.to_vec(),
        };
        let answer = self.client().add_video(self.request(&self.admin(), message)).await.unwrap();
        answer.into_inner().video.unwrap()
    }

    /// A ticket for the worker with one day that is in progress; not told to the service yet.
    pub fn ticket(&self, videos: &[VideoId]) -> Ticket {
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
    pub async fn publish(&self, ticket: &Ticket) -> DailyTicketId {
        let event = TicketPublished { ticket: Some(ticket.clone()), ..TicketPublished::default() };
        self.deliver(&KeepDays, &event).await;
        ticket.daily_tickets[0].daily_ticket_id.parse().unwrap()
    }

    pub async fn amend(&self, ticket: &Ticket) {
        let event = TicketAmended { ticket: Some(ticket.clone()), ..TicketAmended::default() };
        self.deliver(&KeepDays, &event).await;
    }

    /// Cancels the ticket as its next version.
    pub async fn cancel(&self, ticket: &Ticket) {
        let mut ticket = Ticket {
            status: "CANCELLED".to_owned(),
            version: ticket.version + 1,
            ..ticket.clone()
        };
        ticket.daily_tickets[0].status = "CANCELLED".to_owned();
        let event = TicketCancelled { ticket: Some(ticket), ..TicketCancelled::default() };
        self.deliver(&KeepDays, &event).await;
    }

    /// Expires the ticket's day as its next version.
    pub async fn expire(&self, ticket: &Ticket) {
        let mut ticket = Ticket { version: ticket.version + 1, ..ticket.clone() };
        ticket.daily_tickets[0].status = "EXPIRED".to_owned();
        let event = DailyTicketExpired { ticket: Some(ticket), ..DailyTicketExpired::default() };
        self.deliver(&KeepDays, &event).await;
    }

    pub async fn settings(&self, version: u64, settings: SiteSettings) {
        let site = Site {
            site_id: self.site.to_string(),
            version,
            settings: Some(settings),
            ..Site::default()
        };
        self.deliver(&KeepSites, &SiteChanged { site: Some(site) }).await;
    }

    pub async fn deliver<E: proto::Event>(&self, handler: &impl Handler, event: &E) {
        let mut delivery = delivery(event);
        delivery.at = self.now();
        events::deliver(&self.store, handler, &delivery).await.unwrap();
    }

    /// Every fact of one kind in the outbox, in order.
    pub async fn facts<E: proto::Event>(&self) -> Vec<E> {
        let facts = outbox(&self.store).await.into_iter().filter(|(name, _)| name == E::NAME);
        facts.map(|(_, data)| E::decode(data.as_slice()).unwrap()).collect()
    }

    /// The audited actions, in order.
    pub async fn audited(&self) -> Vec<String> {
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
pub async fn day(world: &World) -> (Ticket, DailyTicketId, VideoId) {
    let video: VideoId = world.add_video().await.video_id.parse().unwrap();
    let ticket = world.ticket(&[video]);
    let day = world.publish(&ticket).await;
    (ticket, day, video)
}

/// The code and data a call was refused with.
pub fn refused<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> Refusal {
    Refusal::from_status(&answer.unwrap_err())
}

pub fn code<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> ErrorCode {
    refused(answer).code
}
