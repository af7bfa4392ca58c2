use auth::Caller;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use types::{DailyTicketId, SiteId, WorkerId};
use uuid::Uuid;

use super::{App, Error, audit_fact, own, scope, token};
use crate::domain::{Purpose, Refused};
use crate::store::face_verifications::{self, FaceVerification};
use crate::store::{self, Scope};

/// How long a token opens what it is for; system time.
const GOOD_FOR: TimeDelta = TimeDelta::minutes(10);

#[derive(Debug)]
pub struct StartFaceVerification {
    pub caller: Caller,
    pub worker: Option<WorkerId>,
    pub daily_ticket: DailyTicketId,
    pub purpose: Purpose,
}

/// What the phone needs to show the camera, and what it shows afterwards.
#[derive(Debug)]
pub struct FaceVerificationStarted {
    pub token: String,
    pub provider: &'static str,
    pub verify_id: String,
    pub expires_at: DateTime<Utc>,
}

impl App {
    /// Starts a verification with the provider. Each call starts a new one. No idempotency key: the answer may not be kept,
    /// and nobody has shown their face yet.
    #[tracing::instrument(name = "training.start_face_verification", skip_all, fields(daily_ticket.id = %cmd.daily_ticket))]
    pub async fn start_face_verification(
        &self,
        cmd: StartFaceVerification,
    ) -> Result<FaceVerificationStarted, Error> {
        let worker = own(&cmd.caller, cmd.worker)?;
        let site = self.site_of(&cmd, worker).await?;
        let person = self.person(worker).await?;
        let id = Uuid::new_v4();
        let out_seq_no = id.simple().to_string();
        let verify_id =
            self.faces.start(&person, &out_seq_no).await.map_err(|_| Error::Upstream("face"))?;

        let (token, token_hash) = token::fresh();
        let (at, now) = (self.clock.now(), self.system.now());
        let verification = FaceVerification {
            id,
            site,
            daily_ticket: cmd.daily_ticket,
            worker,
            purpose: cmd.purpose,
            provider: self.faces.name().to_owned(),
            verify_id: verify_id.clone(),
            out_seq_no,
            expires_at: now + GOOD_FOR,
            used: false,
        };
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        face_verifications::insert(&mut tx, &verification, &token_hash, now).await?;
        let after = match cmd.purpose {
            Purpose::Start => json!({ "purpose": "START", "daily_ticket_id": cmd.daily_ticket }),
            Purpose::Check(check) => json!({ "purpose": "CHECK", "check_id": check }),
        };
        let target = ("face_verification", id.to_string());
        events::audit(
            &mut tx,
            audit_fact(&cmd.caller, "face_verification.start", target, site, after, at),
        )
        .await?;
        tx.commit().await?;
        Ok(FaceVerificationStarted {
            token,
            provider: self.faces.name(),
            verify_id,
            expires_at: verification.expires_at,
        })
    }

    /// Whether there is something to verify for: a day to train on, or a check that is open.
    async fn site_of(
        &self,
        cmd: &StartFaceVerification,
        worker: WorkerId,
    ) -> Result<SiteId, Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(&cmd.caller)).await?;
        let day = store::days::get(&mut tx, cmd.daily_ticket).await?.ok_or(Error::NotFound)?;
        day.admits_worker(worker, now)?;
        if let Purpose::Check(check) = cmd.purpose {
            let live =
                store::sessions::live_of(&mut tx, worker).await?.ok_or(Refused::NoSuchCheck)?;
            let mut session = live.session.value;
            if session.expire(now) {
                return Err(Refused::Expired.into());
            }
            session.open_check(check)?;
            if session.daily_ticket != cmd.daily_ticket {
                return Err(Refused::NoSuchCheck.into());
            }
        }
        Ok(day.site)
    }
}
