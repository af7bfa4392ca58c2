use auth::Caller;
use serde_json::json;
use types::{CheckId, SessionId};

use super::report_progress::{Progress, own_session};
use super::{App, Error, FaceProblem, audit_fact, own, save_failed, scope};
use crate::domain::{Answered, Outcome, Purpose, Reason, Refused, State};
use crate::face::Verdict;
use crate::store;
use crate::store::face_verifications::FaceVerification;

#[derive(Debug)]
pub struct AnswerCheck {
    pub caller: Caller,
    pub session: SessionId,
    pub token: String,
    pub check: CheckId,
    pub face_token: String,
}

impl App {
    /// Answers the check that is open. Someone else's face fails the session; a verification that was broken off or is not
    /// finished leaves the check open.
    #[tracing::instrument(name = "training.answer_check", skip_all, fields(session.id = %cmd.session))]
    pub async fn answer_check(&self, cmd: AnswerCheck) -> Result<Progress, Error> {
        let worker = own(&cmd.caller, None)?;
        {
            let mut tx = self.store.begin(scope(&cmd.caller)).await?;
            let session = own_session(&mut tx, &cmd.caller, cmd.session, Some(&cmd.token))
                .await?
                .session
                .value;
            if let State::Failed { reason, .. } = session.state {
                return Err(Refused::Failed(reason).into());
            }
            session.open_check(cmd.check)?;
        }
        let for_check = |found: &FaceVerification| found.purpose == Purpose::Check(cmd.check);
        let (face, verdict) = self.verify_face(&cmd.face_token, worker, for_check).await?;
        let outcome = match verdict {
            Verdict::Passed => Outcome::Passed,
            Verdict::Failed => Outcome::Failed,
            Verdict::Cancelled => return Err(FaceProblem::Cancelled.into()),
            Verdict::Pending => return Err(FaceProblem::Pending.into()),
        };
        match self.take_answer(&cmd, &face, outcome).await {
            // A report came between.
            Err(Error::Store(store::Error::Conflict)) => {
                self.take_answer(&cmd, &face, outcome).await
            }
            taken => taken,
        }
    }

    async fn take_answer(
        &self,
        cmd: &AnswerCheck,
        face: &FaceVerification,
        outcome: Outcome,
    ) -> Result<Progress, Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(&cmd.caller)).await?;
        let mut session =
            own_session(&mut tx, &cmd.caller, cmd.session, Some(&cmd.token)).await?.session;
        let answered = session.value.answer_check(cmd.check, outcome, now)?;
        let day =
            store::days::get(&mut tx, session.value.daily_ticket).await?.ok_or(Error::NotFound)?;
        day.admits(session.value.worker, session.value.video, now)?;
        self.consume(&mut tx, face).await?;
        let (result, refused) = match answered {
            Answered::Passed => {
                store::sessions::save(&mut tx, &session).await?;
                ("PASSED", None)
            }
            Answered::Failed(reason) => {
                save_failed(&mut tx, &session).await?;
                let problem = if reason == Reason::CheckNotAnswered {
                    FaceProblem::TooLate
                } else {
                    FaceProblem::Failed
                };
                (reason.as_str(), Some(problem))
            }
        };
        let target = ("training_session", cmd.session.to_string());
        let after = json!({ "check_id": cmd.check, "result": result });
        let site = session.value.site;
        events::audit(
            &mut tx,
            audit_fact(&cmd.caller, "training_session.answer_check", target, site, after, now),
        )
        .await?;
        tx.commit().await?;
        match refused {
            Some(problem) => Err(problem.into()),
            None => Ok(Progress::of(&session.value)),
        }
    }
}
