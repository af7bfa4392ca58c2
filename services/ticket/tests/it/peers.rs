//! Stand-ins for directory and training that answer the one call this service makes of each.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use chrono::{DateTime, Utc};
use proto::directory::v1::{
    CheckReferencesRequest, CheckReferencesResponse, EndingWorker, Site, SiteSettings,
};
use proto::training::v1::{CheckVideosRequest, CheckVideosResponse, Video};
use service::grpc::{Access, Policy};
use service::{Refusal, Shell};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use types::ErrorCode;

const DIRECTORY: Policy =
    &[("/sitepass.directory.v1.DirectoryService/CheckReferences", Access::Account)];
const TRAINING: Policy = &[("/sitepass.training.v1.TrainingService/CheckVideos", Access::Account)];

/// About more, directory answers nothing at once.
pub(crate) const MOST_WORKERS: usize = 2_000;

/// What the stand-ins know. Everything that is asked for exists, unless it is named here.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) settings: SiteSettings,
    pub(crate) time_zone: &'static str,
    pub(crate) unknown: BTreeSet<String>,
    pub(crate) unbound: BTreeSet<String>,
    /// Last dates of engagements that have one.
    pub(crate) ending: Vec<(String, String)>,
    /// How long every video takes.
    pub(crate) duration_sec: u32,
    pub(crate) contractor_on_site: bool,
    pub(crate) roster_synced_at: Option<DateTime<Utc>>,
    /// Both answer that they cannot.
    pub(crate) away: bool,
    /// Who asked, call by call.
    pub(crate) asked_by: Vec<String>,
}

pub(crate) type Peers = Arc<Mutex<Known>>;

/// Offers both stand-ins to the process.
pub(crate) fn provide(shell: &Shell) -> Peers {
    let settings = SiteSettings {
        access_start_time: "06:00".to_owned(),
        access_end_time: "20:00".to_owned(),
        training_deadline_time: "07:30".to_owned(),
        max_span_days: 31,
        video_rule: "ALL".to_owned(),
        ..SiteSettings::default()
    };
    let peers = Arc::new(Mutex::new(Known {
        settings,
        time_zone: "Asia/Shanghai",
        unknown: BTreeSet::new(),
        unbound: BTreeSet::new(),
        ending: Vec::new(),
        duration_sec: 0,
        contractor_on_site: true,
        roster_synced_at: None,
        away: false,
        asked_by: Vec::new(),
    }));
    let directory = Routes::new(Directory(peers.clone()));
    service::grpc::serve(shell, "directory", directory, DIRECTORY, None);
    service::grpc::serve(shell, "training", Routes::new(Training(peers.clone())), TRAINING, None);
    peers
}

fn asked<M>(peers: &Peers, request: &Request<M>) -> Result<(), Status> {
    let caller = service::grpc::caller(request)?;
    let mut known = peers.lock().unwrap();
    known.asked_by.push(caller.subject.to_string());
    if known.away {
        return Err(Refusal::new(ErrorCode::UpstreamUnavailable).into());
    }
    Ok(())
}

fn among(ids: Vec<String>, set: &BTreeSet<String>) -> Vec<String> {
    ids.into_iter().filter(|id| set.contains(id)).collect()
}

#[derive(Clone)]
struct Directory(Peers);

impl UnaryService<CheckReferencesRequest> for Directory {
    type Response = CheckReferencesResponse;
    type Future = BoxFuture<Response<Self::Response>, Status>;

    fn call(&mut self, request: Request<CheckReferencesRequest>) -> Self::Future {
        let peers = self.0.clone();
        Box::pin(async move {
            asked(&peers, &request)?;
            let known = peers.lock().unwrap();
            let message = request.into_inner();
            if message.worker_ids.len() > MOST_WORKERS {
                let refusal = Refusal::new(ErrorCode::ValidationFailed);
                return Err(refusal.field("worker_ids", "are too many").into());
            }
            let site = Site {
                site_id: message.site_id,
                name: "一号工地".to_owned(),
                time_zone: known.time_zone.to_owned(),
                settings: Some(known.settings.clone()),
                version: 1,
            };
            Ok(Response::new(CheckReferencesResponse {
                site: Some(site),
                contractor_on_site: known.contractor_on_site,
                areas: Vec::new(),
                unknown_area_ids: among(message.area_ids, &known.unknown),
                unbound_worker_ids: among(message.worker_ids.clone(), &known.unbound),
                ending_workers: known
                    .ending
                    .iter()
                    .filter(|(worker, _)| message.worker_ids.contains(worker))
                    .map(|(worker, until)| EndingWorker {
                        worker_id: worker.clone(),
                        until: until.clone(),
                    })
                    .collect(),
                unknown_worker_ids: among(message.worker_ids, &known.unknown),
                roster_synced_at: known.roster_synced_at.map(proto::timestamp),
            }))
        })
    }
}

#[derive(Clone)]
struct Training(Peers);

impl UnaryService<CheckVideosRequest> for Training {
    type Response = CheckVideosResponse;
    type Future = BoxFuture<Response<Self::Response>, Status>;

    fn call(&mut self, request: Request<CheckVideosRequest>) -> Self::Future {
        let peers = self.0.clone();
        Box::pin(async move {
            asked(&peers, &request)?;
            let known = peers.lock().unwrap();
            let message = request.into_inner();
            let unknown_video_ids = among(message.video_ids.clone(), &known.unknown);
            let real = message.video_ids.iter().filter(|id| !unknown_video_ids.contains(id));
            let videos = real.map(|id| Video {
                video_id: id.clone(),
                site_id: message.site_id.clone(),
                duration_sec: known.duration_sec,
                version: 1,
                ..Video::default()
            });
            Ok(Response::new(CheckVideosResponse { videos: videos.collect(), unknown_video_ids }))
        })
    }
}

/// A gRPC service of the one call.
macro_rules! one_call {
    ($service:ident, $name:literal) => {
        impl NamedService for $service {
            const NAME: &'static str = $name;
        }

        impl Service<http::Request<Body>> for $service {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = BoxFuture<Self::Response, Infallible>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: http::Request<Body>) -> Self::Future {
                let call = self.clone();
                Box::pin(async move {
                    let mut grpc = Grpc::new(tonic_prost::ProstCodec::default());
                    Ok(grpc.unary(call, request).await)
                })
            }
        }
    };
}

one_call!(Directory, "sitepass.directory.v1.DirectoryService");
one_call!(Training, "sitepass.training.v1.TrainingService");
