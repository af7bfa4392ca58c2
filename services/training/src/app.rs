//! What can be done here, one use case a file: begin, load, decide, save, tell, commit. Calls to others are made before
//! the transaction begins.

pub mod add_video;
pub mod answer_check;
pub mod check_videos;
pub mod error;
pub mod finish_session;
pub mod get_play_url;
pub mod list_records;
pub mod list_videos;
pub mod report_progress;
pub mod start_face_verification;
pub mod start_session;
mod token;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use auth::{Caller, Sites};
use blobs::{Blobs, UrlSigner};
use chrono::{DateTime, TimeDelta, Utc};
use events::AuditFact;
use proto::directory::v1::ResolveWorkersRequest;
use proto::directory::v1::directory_service_client::DirectoryServiceClient;
use service::grpc::Transport;
use service::{Refusal, Shell};
use types::{SiteClock, SiteId, SystemClock, VideoId, WorkerId};

use crate::domain::{Purpose, Reason, Session, State, Video};
use crate::face::{FaceProvider, Person, Verdict};
use crate::store::face_verifications::FaceVerification;
use crate::store::{self, Scope, Store, Tx, Versioned};
use crate::wire;

pub use error::{Error, FaceProblem};

/// Draws one number of a range; tests say which.
pub type Pick = Arc<dyn Fn(RangeInclusive<u32>) -> u32 + Send + Sync>;

/// What the use cases work with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(crate) store: Store,
    pub(crate) clock: SiteClock,
    pub(crate) system: SystemClock,
    pub(crate) blobs: Blobs,
    pub(crate) signer: UrlSigner,
    pub(crate) faces: Arc<dyn FaceProvider>,
    pub(crate) pick: Pick,
    shell: Shell,
    directory: DirectoryServiceClient<Transport>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    pub fn new(
        shell: &Shell,
        store: Store,
        blobs: Blobs,
        signer: UrlSigner,
        faces: Arc<dyn FaceProvider>,
        pick: Pick,
    ) -> Self {
        Self {
            store,
            clock: shell.clock.clone(),
            system: shell.system.clone(),
            blobs,
            signer,
            faces,
            pick,
            shell: shell.clone(),
            directory: DirectoryServiceClient::new(shell.peers.transport("directory")),
        }
    }

    /// A signed address of a video, good for so long from now; relative to the public address.
    pub(crate) fn play_url(&self, video: VideoId, good_for: TimeDelta) -> (String, DateTime<Utc>) {
        let (path, expires_at) = (Video::play_path(video), self.system.now() + good_for);
        (format!("{path}{}", self.signer.sign(&path, expires_at)), expires_at)
    }

    /// Asks directory who the worker is, for a verification of their face and nothing else.
    pub(crate) async fn person(&self, worker: WorkerId) -> Result<Person, Error> {
        let request = ResolveWorkersRequest {
            worker_ids: vec![worker.to_string()],
            purpose: "FACE_VERIFICATION".to_owned(),
        };
        let answer = self
            .directory
            .clone()
            .resolve_workers(self.shell.as_service("training", request))
            .await
            .map_err(|status| Error::Peer(Refusal::from_status(&status)))?;
        let id = worker.to_string();
        let found =
            answer.into_inner().workers.into_iter().find(|resolved| resolved.worker_id == id);
        let found = found
            .filter(|found| !found.openid.is_empty())
            .ok_or(Error::Face(FaceProblem::NotBound))?;
        Ok(Person { name: found.name, id_no: found.id_no, openid: found.openid })
    }

    /// Looks a face token up for this worker, purpose and day, and asks the provider. Nothing is used up yet.
    pub(crate) async fn verify_face(
        &self,
        token: &str,
        worker: WorkerId,
        holds: impl Fn(&FaceVerification) -> bool,
    ) -> Result<(FaceVerification, Verdict), Error> {
        let verification = {
            let mut tx = self.store.begin(Scope::System("a face token names its site")).await?;
            store::face_verifications::by_token(&mut tx, &token::hash(token)).await?
        };
        let verification = verification
            .filter(|found| found.worker == worker && holds(found))
            .ok_or(Error::Face(FaceProblem::TokenInvalid))?;
        if verification.used {
            return Err(Error::Face(FaceProblem::TokenUsed));
        }
        if verification.expires_at <= self.system.now() {
            return Err(Error::Face(FaceProblem::TokenExpired));
        }
        let person = self.person(worker).await?;
        let verdict = self
            .faces
            .verdict(&person, &verification.verify_id, &verification.out_seq_no)
            .await
            .map_err(|_| Error::Upstream("face"))?;
        Ok((verification, verdict))
    }

    /// Uses a face token up, in the transaction of what it was for.
    pub(crate) async fn consume(
        &self,
        tx: &mut Tx,
        verification: &FaceVerification,
    ) -> Result<(), Error> {
        if store::face_verifications::consume(tx, verification.id, self.system.now()).await? {
            return Ok(());
        }
        Err(Error::Face(FaceProblem::TokenUsed))
    }
}

/// A token for the start of a session on this day.
pub(crate) fn for_start(day: types::DailyTicketId) -> impl Fn(&FaceVerification) -> bool {
    move |found| found.purpose == Purpose::Start && found.daily_ticket == day
}

/// The sites a caller's transaction may touch.
pub(crate) fn scope(caller: &Caller) -> Scope {
    match &caller.sites {
        Sites::All => Scope::System("a service acting as itself"),
        Sites::Some(sites) => Scope::Sites(sites.clone()),
    }
}

/// The worker who calls, if it is the one the request names; anyone else is not found.
pub(crate) fn own(caller: &Caller, named: Option<WorkerId>) -> Result<WorkerId, Error> {
    let worker = caller.worker_id().ok_or(Error::NotFound)?;
    if named.is_some_and(|named| named != worker) { Err(Error::NotFound) } else { Ok(worker) }
}

/// Writes back a session that has failed, its record and the fact.
pub(crate) async fn save_failed(tx: &mut Tx, session: &Versioned<Session>) -> Result<(), Error> {
    let State::Failed { reason, at } = session.value.state else { return Ok(()) };
    let (_, version) = store::sessions::save_ended(tx, session).await?;
    events::enqueue(tx, &wire::training_failed(&session.value, reason, at, version), at).await?;
    count_failed(reason);
    Ok(())
}

pub(crate) fn count_failed(reason: Reason) {
    metrics::counter!("sitepass_training_failed_total", "reason" => reason.as_str()).increment(1);
}

/// The record of a command of ours; never personal.
pub(crate) fn audit_fact<'a>(
    caller: &'a Caller,
    action: &'a str,
    target: (&'a str, String),
    site: SiteId,
    after: serde_json::Value,
    at: DateTime<Utc>,
) -> AuditFact<'a> {
    AuditFact {
        context: "training",
        caller,
        action,
        target_type: target.0,
        target_id: target.1,
        site: Some(site),
        before: None,
        after: Some(after),
        reason: None,
        at,
    }
}
