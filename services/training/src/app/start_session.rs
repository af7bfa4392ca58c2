use auth::Caller;
use chrono::TimeDelta;
use prost::Message;
use proto::training::v1::StartSessionResponse;
use serde_json::json;
use service::idempotency::{self, Claim, Key};
use types::{DailyTicketId, SessionId, VideoId, WorkerId};

use super::report_progress::own_session;
use super::{App, Error, FaceProblem, audit_fact, for_start, own, save_failed, token};
use crate::domain::session::IDLE;
use crate::domain::{Day, Reason, Session, Start, Video};
use crate::face::Verdict;
use crate::store::face_verifications::FaceVerification;
use crate::store::{self, Scope, Tx};
use crate::wire;

#[derive(Debug)]
pub struct StartSession {
    pub caller: Caller,
    pub worker: Option<WorkerId>,
    pub daily_ticket: DailyTicketId,
    pub video: VideoId,
    pub face_token: String,
    pub device: String,
    pub key: Option<Key>,
}

#[derive(Debug)]
pub struct SessionStarted {
    pub session: SessionId,
    /// Shown to whoever shows the face token.
    pub token: String,
    pub resume_at_sec: u32,
    pub duration_sec: u32,
    pub play_url: String,
}

impl App {
    /// Starts, or resumes, a watching. The person's other live session ends. A face token starts one session; the same key
    /// and body again are answered with that one, whatever has become of it.
    #[tracing::instrument(name = "training.start_session", skip_all, fields(daily_ticket.id = %cmd.daily_ticket, video.id = %cmd.video))]
    pub async fn start_session(&self, cmd: StartSession) -> Result<SessionStarted, Error> {
        let worker = own(&cmd.caller, cmd.worker)?;
        {
            // Before the provider is asked; looked at again in the transaction that starts it.
            let mut tx = self.store.begin(super::scope(&cmd.caller)).await?;
            if let Some(started) = self.started_before(&mut tx, &cmd).await? {
                return Ok(started);
            }
            let day = store::days::get(&mut tx, cmd.daily_ticket).await?.ok_or(Error::NotFound)?;
            day.admits(worker, cmd.video, self.clock.now())?;
        }
        let verified = self.verify_face(&cmd.face_token, worker, for_start(cmd.daily_ticket)).await;
        let (face, verdict) = match verified {
            Ok(verified) => verified,
            // The same call, made twice at once, may have used the token up meanwhile.
            Err(err) => {
                let mut tx = self.store.begin(super::scope(&cmd.caller)).await?;
                return self.started_before(&mut tx, &cmd).await?.ok_or(err);
            }
        };
        match verdict {
            Verdict::Passed => {}
            Verdict::Failed => return Err(FaceProblem::Failed.into()),
            Verdict::Cancelled => return Err(FaceProblem::Cancelled.into()),
            Verdict::Pending => return Err(FaceProblem::Pending.into()),
        }
        match self.begin_session(&cmd, worker, &face).await {
            // Another start or a report of the same person came between.
            Err(Error::Store(store::Error::Conflict)) => {
                self.begin_session(&cmd, worker, &face).await
            }
            started => started,
        }
    }

    async fn begin_session(
        &self,
        cmd: &StartSession,
        worker: WorkerId,
        face: &FaceVerification,
    ) -> Result<SessionStarted, Error> {
        let now = self.clock.now();
        let mut tx =
            self.store.begin(Scope::System("one live session a person, on all sites")).await?;
        if let Some(started) = self.started_before(&mut tx, cmd).await? {
            return Ok(started);
        }
        let day = store::days::hold(&mut tx, cmd.daily_ticket).await?.ok_or(Error::NotFound)?;
        if !cmd.caller.may_touch(day.site) {
            return Err(Error::NotFound);
        }
        day.admits(worker, cmd.video, now)?;
        let video =
            store::videos::get(&mut tx, cmd.video).await?.filter(|video| video.site == day.site);
        let video = video.ok_or(Error::NotFound)?;
        if store::records::completed_videos(&mut tx, day.id, worker).await?.contains(&video.id) {
            return Err(Error::AlreadyComplete);
        }
        self.consume(&mut tx, face).await?;
        if let Some(other) = store::sessions::live_of(&mut tx, worker).await? {
            let mut other = other.session;
            if other.value.expire(now) {
                store::sessions::save(&mut tx, &other).await?;
            } else {
                other.value.end(Reason::Replaced, now);
                save_failed(&mut tx, &other).await?;
            }
        }
        let (token, token_hash) = token::of_session(&cmd.face_token);
        let (session, resumed) =
            self.new_or_resumed(&mut tx, cmd, worker, (&day, &video), &token_hash).await?;
        let version =
            store::day_trainings::next_version(&mut tx, session.site, day.id, worker).await?;
        events::enqueue(&mut tx, &wire::training_started(&session, now, version), now).await?;
        let after = json!({ "daily_ticket_id": day.id, "video_id": video.id, "resumed": resumed });
        let target = ("training_session", session.id.to_string());
        events::audit(
            &mut tx,
            audit_fact(&cmd.caller, "training_session.start", target, day.site, after, now),
        )
        .await?;
        let session_id = session.id.to_string();
        let kept = StartSessionResponse { session_id, ..StartSessionResponse::default() };
        idempotency::answer(&mut tx, cmd.key.as_ref(), &kept).await?;
        tx.commit().await?;
        metrics::counter!("sitepass_training_started_total").increment(1);
        Ok(self.started(&session, token))
    }

    /// What this key started before.
    async fn started_before(
        &self,
        tx: &mut Tx,
        cmd: &StartSession,
    ) -> Result<Option<SessionStarted>, Error> {
        let Claim::Replay(answer) =
            idempotency::claim(tx, cmd.key.as_ref(), self.system.now()).await?
        else {
            return Ok(None);
        };
        let corrupt = || store::Error::corrupt("idempotency_keys", "start_session");
        let kept = StartSessionResponse::decode(answer.as_slice()).map_err(|_| corrupt())?;
        let session = kept.session_id.parse().map_err(|_| corrupt())?;
        let (token, _) = token::of_session(&cmd.face_token);
        // Who has resumed it since did so with another face token.
        let stored = own_session(tx, &cmd.caller, session, Some(&token)).await?;
        Ok(Some(self.started(&stored.session.value, token)))
    }

    fn started(&self, session: &Session, token: String) -> SessionStarted {
        let length = TimeDelta::seconds(i64::from(session.duration_sec()));
        let (play_url, _) = self.play_url(session.video, length + IDLE);
        SessionStarted {
            session: session.id,
            token,
            resume_at_sec: session.position_sec,
            duration_sec: session.duration_sec(),
            play_url,
        }
    }

    async fn new_or_resumed(
        &self,
        tx: &mut Tx,
        cmd: &StartSession,
        worker: WorkerId,
        (day, video): (&Day, &Video),
        token_hash: &[u8],
    ) -> Result<(Session, bool), Error> {
        let now = self.clock.now();
        if let Some(expired) = store::sessions::expired_of(tx, day.id, worker, video.id).await? {
            let mut expired = expired.session;
            expired.value.resume(now);
            store::sessions::save_resumed(tx, &expired, token_hash, &cmd.device).await?;
            return Ok((expired.value, true));
        }
        let start = Start {
            id: SessionId::new(),
            site: day.site,
            daily_ticket: day.id,
            worker,
            video: video.id,
            duration_sec: video.duration_sec,
            pacing: store::sites::pacing(tx, day.site).await?,
        };
        let session = Session::start(start, &mut |range| (self.pick)(range), now);
        store::sessions::insert(tx, &session, token_hash, &cmd.device).await?;
        Ok((session, false))
    }
}
