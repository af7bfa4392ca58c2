use auth::Caller;
use chrono::{DateTime, Utc};
use serde_json::json;
use types::{DailyTicketId, SessionId, WorkerId};

use super::report_progress::own_session;
use super::{App, Error, audit_fact, own, scope};
use crate::domain::{Completion, Day, Finished, Session};
use crate::store::{self, Tx, Versioned};
use crate::wire;

#[derive(Debug)]
pub struct FinishSession {
    pub caller: Caller,
    pub worker: Option<WorkerId>,
    pub session: SessionId,
    /// May be left out: the caller is the session's worker all the same.
    pub token: Option<String>,
}

#[derive(Debug)]
pub struct SessionFinished {
    pub daily_ticket: DailyTicketId,
    pub worker: WorkerId,
    /// Set once every video the day asks for is complete.
    pub day: Option<Completion>,
}

impl App {
    /// Judges a session. Finishing a complete one changes nothing and answers the same.
    #[tracing::instrument(name = "training.finish_session", skip_all, fields(session.id = %cmd.session))]
    pub async fn finish_session(&self, cmd: FinishSession) -> Result<SessionFinished, Error> {
        match self.judge(&cmd).await {
            // A second finish or a late report came between.
            Err(Error::Store(store::Error::Conflict)) => self.judge(&cmd).await,
            judged => judged,
        }
    }

    async fn judge(&self, cmd: &FinishSession) -> Result<SessionFinished, Error> {
        let worker = own(&cmd.caller, cmd.worker)?;
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(&cmd.caller)).await?;
        let mut session =
            own_session(&mut tx, &cmd.caller, cmd.session, cmd.token.as_deref()).await?.session;
        let daily_ticket = session.value.daily_ticket;
        let day = match session.value.finish(now)? {
            Finished::Already { .. } => {
                store::day_trainings::completion(&mut tx, daily_ticket, worker).await?
            }
            Finished::Now { at } => {
                let day = store::days::hold(&mut tx, daily_ticket).await?.ok_or(Error::NotFound)?;
                day.admits(worker, session.value.video, now)?;
                let completion = complete(&mut tx, &session, &day, at).await?;
                let after = json!({ "result": "COMPLETED", "valid_watch_sec": session.value.watched.count() });
                let target = ("training_session", cmd.session.to_string());
                let fact = audit_fact(
                    &cmd.caller,
                    "training_session.finish",
                    target,
                    day.site,
                    after,
                    now,
                );
                events::audit(&mut tx, fact).await?;
                tx.commit().await?;
                completion
            }
        };
        Ok(SessionFinished { daily_ticket, worker, day })
    }
}

/// Writes the record and tells it; and, once, that the day is complete.
async fn complete(
    tx: &mut Tx,
    session: &Versioned<Session>,
    day: &Day,
    at: DateTime<Utc>,
) -> Result<Option<Completion>, Error> {
    let (record, version) = store::sessions::save_ended(tx, session).await?;
    let session = &session.value;
    events::enqueue(tx, &wire::video_completed(session, record, at, version), at).await?;
    metrics::counter!("sitepass_training_videos_completed_total").increment(1);
    let completed = store::records::completed_videos(tx, day.id, session.worker).await?;
    if let Some(completion) = day.completion(&completed, at)
        && store::day_trainings::complete(tx, day.id, session.worker, completion).await?
    {
        let version =
            store::day_trainings::next_version(tx, session.site, day.id, session.worker).await?;
        events::enqueue(tx, &wire::training_completed(session, completion, version), at).await?;
        metrics::counter!("sitepass_training_completed_total").increment(1);
        return Ok(Some(completion));
    }
    // An earlier completion stands.
    Ok(store::day_trainings::completion(tx, day.id, session.worker).await?)
}
