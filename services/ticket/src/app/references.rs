//! Fresh truth from the services that own it, asked before a transaction and never within one.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use auth::Caller;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use proto::directory::v1::directory_service_client::DirectoryServiceClient;
use proto::directory::v1::{CheckReferencesRequest, SiteSettings};
use proto::training::v1::CheckVideosRequest;
use proto::training::v1::training_service_client::TrainingServiceClient;
use service::Refusal;
use tonic::Status;
use types::{
    AreaId, ContractorId, ErrorCode, SiteId, SiteZone, TimeWindow, VideoId, WorkerId, parse_time,
};

use super::{App, Error};
use crate::domain::{Leads, Ticket, VideoRule};

const DIRECTORY: &str = "directory";
const TRAINING: &str = "training";

/// What a ticket names of others.
#[derive(Debug)]
pub(super) struct References {
    pub(super) site: SiteId,
    pub(super) contractor: ContractorId,
    pub(super) areas: BTreeSet<AreaId>,
    pub(super) workers: BTreeSet<WorkerId>,
    pub(super) videos: BTreeSet<VideoId>,
}

impl References {
    /// All that a ticket names.
    pub(super) fn of(ticket: &Ticket) -> Self {
        Self {
            site: ticket.site,
            contractor: ticket.contractor,
            areas: ticket.areas.iter().copied().collect(),
            workers: ticket.workers.iter().copied().collect(),
            videos: ticket.videos.iter().copied().collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.areas.is_empty() && self.workers.is_empty() && self.videos.is_empty()
    }
}

/// A video as its owner has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Video {
    pub(super) duration_sec: u32,
    pub(super) version: i64,
}

/// What the owners say of it.
#[derive(Debug)]
pub(super) struct Truth {
    pub(super) zone: SiteZone,
    pub(super) window: TimeWindow,
    pub(super) deadline: NaiveTime,
    pub(super) leads: Leads,
    pub(super) video_rule: VideoRule,
    pub(super) publish_now: bool,
    pub(super) daily_reminder: bool,
    pub(super) max_span_days: u32,
    pub(super) contractor_on_site: bool,
    pub(super) unknown_areas: BTreeSet<AreaId>,
    pub(super) unknown_workers: BTreeSet<WorkerId>,
    pub(super) unbound_workers: BTreeSet<WorkerId>,
    pub(super) unknown_videos: BTreeSet<VideoId>,
    /// About whom directory was asked.
    pub(super) asked_workers: BTreeSet<WorkerId>,
    /// Last dates of engagements that have one.
    pub(super) engaged_until: BTreeMap<WorkerId, NaiveDate>,
    pub(super) videos: BTreeMap<VideoId, Video>,
    /// When the roster behind it was last read from the real-name system.
    pub(super) roster_synced_at: Option<DateTime<Utc>>,
}

impl App {
    /// Asks directory and training at once, on behalf of the caller.
    pub(super) async fn ask(&self, caller: &Caller, about: &References) -> Result<Truth, Error> {
        let mut directory = DirectoryServiceClient::new(self.shell.peers.transport(DIRECTORY));
        let mut training = TrainingServiceClient::new(self.shell.peers.transport(TRAINING));
        let references = CheckReferencesRequest {
            site_id: about.site.to_string(),
            contractor_id: about.contractor.to_string(),
            area_ids: texts(&about.areas),
            worker_ids: texts(&about.workers),
        };
        let videos =
            CheckVideosRequest { site_id: about.site.to_string(), video_ids: texts(&about.videos) };
        let (references, videos) = tokio::join!(
            directory.check_references(self.shell.on_behalf(caller, references)),
            training.check_videos(self.shell.on_behalf(caller, videos)),
        );
        let references = references.map_err(|status| refused(&status))?.into_inner();
        let videos = videos.map_err(|status| refused(&status))?.into_inner();

        let site = references.site.ok_or(Error::NotFound)?;
        let settings: SiteSettings = site.settings.unwrap_or_default();
        let window = TimeWindow::parse(&settings.access_start_time, &settings.access_end_time);
        Ok(Truth {
            zone: sense(site.time_zone.parse(), "time_zone")?,
            window: sense(window, "the access window")?,
            deadline: sense(
                parse_time(&settings.training_deadline_time),
                "training_deadline_time",
            )?,
            leads: leads(&settings),
            video_rule: sense(settings.video_rule.parse(), "video_rule")?,
            publish_now: settings.publish_now.unwrap_or(true),
            daily_reminder: settings.daily_reminder.unwrap_or(true),
            max_span_days: settings.max_span_days,
            contractor_on_site: references.contractor_on_site,
            unknown_areas: ids(DIRECTORY, &references.unknown_area_ids)?,
            unknown_workers: ids(DIRECTORY, &references.unknown_worker_ids)?,
            unbound_workers: ids(DIRECTORY, &references.unbound_worker_ids)?,
            unknown_videos: ids(TRAINING, &videos.unknown_video_ids)?,
            asked_workers: about.workers.clone(),
            engaged_until: references
                .ending_workers
                .iter()
                .map(|ending| Some((ending.worker_id.parse().ok()?, ending.until.parse().ok()?)))
                .collect::<Option<_>>()
                .ok_or_else(|| nonsense(DIRECTORY, "an engagement's end"))?,
            videos: videos
                .videos
                .iter()
                .map(|video| {
                    let version = i64::try_from(video.version).ok()?;
                    let known = Video { duration_sec: video.duration_sec, version };
                    Some((video.video_id.parse().ok()?, known))
                })
                .collect::<Option<_>>()
                .ok_or_else(|| nonsense(TRAINING, "a video"))?,
            roster_synced_at: proto::instant(references.roster_synced_at.as_ref()),
        })
    }
}

fn refused(status: &Status) -> Error {
    match Refusal::from_status(status) {
        refusal if refusal.code == ErrorCode::NotFound => Error::NotFound,
        refusal => Error::Peer(refusal),
    }
}

fn nonsense(service: &'static str, problem: &str) -> Error {
    Error::Nonsense { service, problem: problem.to_owned() }
}

/// Zero is what was told before a site could say otherwise.
fn leads(settings: &SiteSettings) -> Leads {
    let minutes = |told: u32| (told > 0).then(|| TimeDelta::minutes(told.into()));
    let Leads { before_night, after_publication } = Leads::default();
    Leads {
        before_night: minutes(settings.night_deadline_minutes).unwrap_or(before_night),
        after_publication: minutes(settings.late_deadline_minutes).unwrap_or(after_publication),
    }
}

fn sense<T, E>(read: Result<T, E>, what: &str) -> Result<T, Error> {
    read.map_err(|_| Error::Nonsense { service: DIRECTORY, problem: format!("{what} of the site") })
}

fn ids<T: FromStr + Ord>(service: &'static str, texts: &[String]) -> Result<BTreeSet<T>, Error> {
    let nonsense = |_| Error::Nonsense { service, problem: "an identifier".to_owned() };
    texts.iter().map(|text| text.parse().map_err(nonsense)).collect()
}

fn texts<T: ToString>(ids: &BTreeSet<T>) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
