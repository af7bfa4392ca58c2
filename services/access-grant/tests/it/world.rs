use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use access_grant::app::{App, Proofs, Pusher, Round};
use access_grant::consumers::{FollowDevices, FollowDirectory, FollowTickets, FollowTraining};
use access_grant::domain::Grant;
use access_grant::store::grants::{self, Filter};
use chrono::{DateTime, TimeDelta, Utc};
use events::{Delivery, Handler};
use prost::Message;
use proto::Event;
use proto::common::v1::CommandAudited;
use proto::device::v1 as device;
use proto::directory::v1 as directory;
use proto::ticket::v1 as ticket;
use proto::training::v1::{TrainingCompleted, TrainingReopened};
use schedule::Run;
use service::grpc::{Access, Policy};
use service::{Scope, Shell, Store};
use test_support::Harness;
use tonic::service::Routes;
use types::{
    AccessGroupId, AreaId, BindingId, ContractorId, DailyTicketId, PassageId, SiteId, TicketId,
    TimeWindow, WorkerId,
};

use crate::fake_door::FakeDoor;

/// The service with a fake door and a stand-in for directory, at 08:00 site time of a Monday.
pub(crate) struct World {
    pub(crate) harness: Harness,
    pub(crate) store: Store,
    pub(crate) app: App,
    pub(crate) door: Arc<FakeDoor>,
    pub(crate) pusher: Pusher,
    pub(crate) proofs: Proofs,
    pub(crate) site: SiteId,
    pub(crate) contractor: ContractorId,
    versions: AtomicU64,
}

/// A work ticket of one day, as its owner would tell of it.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: TicketId,
    pub(crate) day: DailyTicketId,
    pub(crate) site: SiteId,
    pub(crate) contractor: ContractorId,
    pub(crate) areas: Vec<AreaId>,
    pub(crate) workers: Vec<WorkerId>,
    pub(crate) date: &'static str,
    pub(crate) window: (&'static str, &'static str),
    pub(crate) deadline_at: DateTime<Utc>,
    pub(crate) status: &'static str,
    pub(crate) day_status: &'static str,
    pub(crate) version: u64,
}

/// Minutes after 08:00 site time.
pub(crate) fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(test_support::START, 0).unwrap() + TimeDelta::minutes(minute)
}

pub(crate) fn group(name: &str) -> AccessGroupId {
    AccessGroupId::parse(name).unwrap()
}

impl World {
    /// One round of reading the doors now.
    pub(crate) async fn prove(&self) -> Round {
        self.proofs.prove_doors(&self.run().await).await.unwrap()
    }

    pub(crate) async fn run(&self) -> Run {
        schedule::testing::run(&self.store, "access-grant.prove-doors", self.harness.now()).await
    }

    pub(crate) async fn new() -> Self {
        let harness = Harness::new().await;
        let store = harness.store("access-grant").await;
        stand_in_for_directory(&harness.shell);
        let door = Arc::new(FakeDoor::default());
        let shell = harness.shell.clone();
        Self {
            app: App::new(store.clone(), shell.clock.clone()),
            pusher: Pusher::new(store.clone(), shell.clone(), door.clone()),
            proofs: Proofs::new(shell.clock.clone(), door.clone()),
            harness,
            store,
            door,
            site: SiteId::new(),
            contractor: ContractorId::new(),
            versions: AtomicU64::new(1),
        }
    }

    pub(crate) fn job(&self, workers: &[WorkerId], areas: &[AreaId]) -> Job {
        Job {
            id: TicketId::new(),
            day: DailyTicketId::new(),
            site: self.site,
            contractor: self.contractor,
            areas: areas.to_vec(),
            workers: workers.to_vec(),
            date: "2026-03-02",
            window: ("06:00", "20:00"),
            deadline_at: at(60),
            status: "ACTIVE",
            day_status: "IN_PROGRESS",
            version: 1,
        }
    }

    /// Moves site time to a minute after 08:00.
    pub(crate) fn set_minute(&self, minute: i64) {
        self.harness.shell.clock.set(at(minute), 0.0);
    }

    /// Takes an event in that became true now.
    pub(crate) async fn hear<E: Event>(&self, event: &E) {
        self.hear_at(event, self.harness.now()).await;
    }

    pub(crate) async fn hear_at<E: Event>(&self, event: &E, at: DateTime<Utc>) {
        let delivery = Delivery { at, ..events::testing::delivery(event) };
        self.deliver(&delivery).await;
    }

    pub(crate) async fn deliver(&self, delivery: &Delivery) {
        let clock = || self.harness.shell.clock.clone();
        let handler: Box<dyn Handler> = match delivery.context.as_str() {
            "ticket" => Box::new(FollowTickets::new(clock())),
            "training" => Box::new(FollowTraining::new(clock())),
            "directory" => Box::new(FollowDirectory::new(clock())),
            _ => Box::new(FollowDevices::new(clock())),
        };
        events::deliver(&self.store, handler.as_ref(), delivery).await.unwrap();
    }

    /// An area that is known, with its doors.
    pub(crate) async fn area(&self, group: &str) -> AreaId {
        let area = AreaId::new();
        self.hear(&self.area_changed(area, group)).await;
        area
    }

    pub(crate) fn area_changed(&self, area: AreaId, group: &str) -> directory::AreaChanged {
        let area = directory::Area {
            area_id: area.to_string(),
            site_id: self.site.to_string(),
            name: String::new(),
            access_group_id: group.to_owned(),
            status: "ACTIVE".to_owned(),
            version: self.next(),
            ..directory::Area::default()
        };
        directory::AreaChanged { area: Some(area) }
    }

    /// A worker who is known and bound.
    pub(crate) async fn worker(&self, face: &str) -> WorkerId {
        let worker = WorkerId::new();
        self.hear_at(&self.bound(worker, face, at(-600)), at(-600)).await;
        worker
    }

    pub(crate) fn known(&self, worker: WorkerId, face: &str) -> directory::WorkerChanged {
        directory::WorkerChanged { worker: Some(self.version_of(worker, face)) }
    }

    pub(crate) fn bound(
        &self,
        worker: WorkerId,
        face: &str,
        at: DateTime<Utc>,
    ) -> directory::WorkerBound {
        directory::WorkerBound {
            worker: Some(self.version_of(worker, face)),
            binding_id: BindingId::new().to_string(),
            bound_at: Some(proto::timestamp(at)),
        }
    }

    fn version_of(&self, worker: WorkerId, face: &str) -> directory::Worker {
        directory::Worker {
            worker_id: worker.to_string(),
            face_id: face.to_owned(),
            engagements: vec![directory::Engagement {
                site_id: self.site.to_string(),
                contractor_id: self.contractor.to_string(),
                ..directory::Engagement::default()
            }],
            bound: true,
            status: "ACTIVE".to_owned(),
            version: self.next(),
            ..directory::Worker::default()
        }
    }

    fn next(&self) -> u64 {
        self.versions.fetch_add(1, Ordering::Relaxed)
    }

    /// Publishes a ticket long before the day's training.
    pub(crate) async fn publish(&self, job: &Job) {
        self.hear_at(&job.published(), at(-600)).await;
    }

    /// The worker completed the day's training `minute` minutes after 08:00; the clock is there.
    pub(crate) async fn train(&self, job: &Job, worker: WorkerId, minute: i64) {
        self.set_minute(minute);
        self.hear(&job.trained(worker, minute)).await;
    }

    /// A bound worker on a published ticket, trained and with a grant not pushed yet.
    pub(crate) async fn granted(&self, face: &str, areas: &[AreaId]) -> (Job, WorkerId) {
        let worker = self.worker(face).await;
        let job = self.job(&[worker], areas);
        self.publish(&job).await;
        self.train(&job, worker, 5).await;
        (job, worker)
    }

    /// Pushes until nothing is due.
    pub(crate) async fn push(&self) {
        while self.pusher.push_due().await.unwrap() > 0 {}
    }

    pub(crate) async fn grants(&self, filter: Filter<'_>) -> Vec<Grant> {
        let mut tx = self.store.begin(Scope::Site(self.site)).await.unwrap();
        grants::list(&mut tx, filter, types::Page::default()).await.unwrap().0
    }

    pub(crate) async fn grant_of(&self, job: &Job) -> Grant {
        let grants = self.grants(Filter { day: Some(job.day), ..Filter::default() }).await;
        assert_eq!(grants.len(), 1, "{grants:?}");
        grants.into_iter().next().unwrap()
    }

    /// The facts of one kind in the outbox.
    pub(crate) async fn told<E: Event>(&self) -> Vec<E> {
        let all = events::testing::outbox(&self.store).await;
        let of_kind = all.iter().filter(|(name, _)| name == E::NAME);
        of_kind.map(|(_, data)| E::decode(data.as_slice()).unwrap()).collect()
    }

    /// The records of commands in the outbox.
    pub(crate) async fn audited(&self) -> Vec<CommandAudited> {
        let all = events::testing::outbox(&self.store).await;
        let audited = all.iter().filter(|(name, _)| name == "CommandAudited");
        audited.map(|(_, data)| CommandAudited::decode(data.as_slice()).unwrap()).collect()
    }

    pub(crate) fn passage(
        &self,
        area: AreaId,
        face: &str,
        result: &str,
        reported: &str,
        at: DateTime<Utc>,
    ) -> device::Passage {
        device::Passage {
            passage_id: PassageId::new().to_string(),
            site_id: self.site.to_string(),
            device_id: "gate-1".to_owned(),
            area_id: area.to_string(),
            seq: self.next(),
            event_time: Some(proto::timestamp(at)),
            corrected_time: Some(proto::timestamp(at)),
            received_at: Some(proto::timestamp(at)),
            face_id: face.to_owned(),
            direction: "IN".to_owned(),
            result: result.to_owned(),
            reported_reason_code: reported.to_owned(),
            ..device::Passage::default()
        }
    }
}

impl Job {
    pub(crate) fn published(&self) -> ticket::TicketPublished {
        ticket::TicketPublished {
            ticket: Some(self.ticket()),
            ..ticket::TicketPublished::default()
        }
    }

    pub(crate) fn amended(&mut self, change: impl FnOnce(&mut Self)) -> ticket::TicketAmended {
        self.version += 1;
        change(self);
        ticket::TicketAmended { ticket: Some(self.ticket()), ..ticket::TicketAmended::default() }
    }

    pub(crate) fn cancelled(&mut self) -> ticket::TicketCancelled {
        (self.version, self.status, self.day_status) = (self.version + 1, "CANCELLED", "CANCELLED");
        ticket::TicketCancelled {
            ticket: Some(self.ticket()),
            ..ticket::TicketCancelled::default()
        }
    }

    pub(crate) fn expired(&mut self) -> ticket::DailyTicketExpired {
        (self.version, self.day_status) = (self.version + 1, "EXPIRED");
        let daily_ticket_id = self.day.to_string();
        ticket::DailyTicketExpired {
            ticket: Some(self.ticket()),
            daily_ticket_id,
            expired_at: None,
        }
    }

    pub(crate) fn trained(&self, worker: WorkerId, minute: i64) -> TrainingCompleted {
        TrainingCompleted {
            site_id: self.site.to_string(),
            daily_ticket_id: self.day.to_string(),
            worker_id: worker.to_string(),
            completed_at: Some(proto::timestamp(at(minute))),
            deadline_at: Some(proto::timestamp(self.deadline_at)),
            in_time: at(minute) <= self.deadline_at,
            version: 1,
        }
    }

    /// The ticket asks for more than was watched, `minute` minutes after 08:00.
    pub(crate) fn reopened(&self, worker: WorkerId, minute: i64) -> TrainingReopened {
        TrainingReopened {
            site_id: self.site.to_string(),
            daily_ticket_id: self.day.to_string(),
            worker_id: worker.to_string(),
            reopened_at: Some(proto::timestamp(at(minute))),
            version: 2,
            ..TrainingReopened::default()
        }
    }

    pub(crate) fn window(&self) -> types::InstantWindow {
        let window = TimeWindow::parse(self.window.0, self.window.1).unwrap();
        window.on(self.date.parse().unwrap(), types::SiteZone::default())
    }

    fn ticket(&self) -> ticket::Ticket {
        let window = self.window();
        ticket::Ticket {
            ticket_id: self.id.to_string(),
            site_id: self.site.to_string(),
            contractor_id: self.contractor.to_string(),
            time_zone: "Asia/Shanghai".to_owned(),
            area_ids: self.areas.iter().map(ToString::to_string).collect(),
            worker_ids: self.workers.iter().map(ToString::to_string).collect(),
            status: self.status.to_owned(),
            daily_tickets: vec![ticket::DailyTicket {
                daily_ticket_id: self.day.to_string(),
                date: self.date.to_owned(),
                status: self.day_status.to_owned(),
                access_start_at: Some(proto::timestamp(window.start)),
                access_end_at: Some(proto::timestamp(window.end)),
                deadline_at: Some(proto::timestamp(self.deadline_at)),
                ..ticket::DailyTicket::default()
            }],
            version: self.version,
            ..ticket::Ticket::default()
        }
    }
}

const DIRECTORY: Policy =
    &[("/sitepass.directory.v1.DirectoryService/ResolveWorkers", Access::Service)];

/// Answers `ResolveWorkers` for anyone, with invented people.
fn stand_in_for_directory(shell: &Shell) {
    let resolve =
        tower::service_fn(async |request: tonic::Request<directory::ResolveWorkersRequest>| {
            let message = request.into_inner();
            assert_eq!(message.purpose, "DOOR_SYNC");
            let workers =
                message.worker_ids.into_iter().map(|worker_id| directory::ResolvedWorker {
                    worker_id,
                    name: "测试工人01".to_owned(),
                    id_no: "659999199001010018".to_owned(),
                    ..directory::ResolvedWorker::default()
                });
            let answer = directory::ResolveWorkersResponse { workers: workers.collect() };
            Ok::<_, tonic::Status>(tonic::Response::new(answer))
        });
    let route = tower::service_fn(move |request: http::Request<axum::body::Body>| async move {
        let codec = tonic_prost::ProstCodec::default();
        Ok::<_, Infallible>(tonic::server::Grpc::new(codec).unary(resolve, request).await)
    });
    let router = axum::Router::new().route_service(DIRECTORY[0].0, route);
    service::grpc::serve(shell, "directory", Routes::from(router), DIRECTORY, None);
}
