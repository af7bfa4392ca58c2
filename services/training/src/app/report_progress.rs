use auth::Caller;
use chrono::{DateTime, Utc};
use types::{CheckId, SessionId};

use super::{App, Error, own, save_failed, scope, token};
use crate::domain::{Report, Reported, Session, required_sec};
use crate::store::sessions::Stored;
use crate::store::{self, Tx};

#[derive(Debug)]
pub struct ReportProgress {
    pub caller: Caller,
    pub session: SessionId,
    pub token: String,
    pub report: Report,
}

/// Where a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub valid_watch_sec: u32,
    pub required_sec: u32,
    pub status: &'static str,
    /// The check that is asked now, and until when it can be answered (site time).
    pub check: Option<(CheckId, DateTime<Utc>)>,
}

impl App {
    /// Takes a report in. A repeated or overtaken one, told by its number, changes nothing and answers where the session is.
    #[tracing::instrument(name = "training.report_progress", skip_all, fields(session.id = %cmd.session))]
    pub async fn report_progress(&self, cmd: ReportProgress) -> Result<Progress, Error> {
        match self.take_report(&cmd).await {
            // Another report, an answer or the end of the day came between.
            Err(Error::Store(store::Error::Conflict)) => self.take_report(&cmd).await,
            taken => taken,
        }
    }

    async fn take_report(&self, cmd: &ReportProgress) -> Result<Progress, Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(&cmd.caller)).await?;
        let mut session =
            own_session(&mut tx, &cmd.caller, cmd.session, Some(&cmd.token)).await?.session;
        let reported = session.value.report(cmd.report, CheckId::new(), now)?;
        // The fact of the day's end may still be on its way.
        let day =
            store::days::get(&mut tx, session.value.daily_ticket).await?.ok_or(Error::NotFound)?;
        day.admits(session.value.worker, session.value.video, now)?;
        match reported {
            Reported::Repeated => return Ok(Progress::of(&session.value)),
            Reported::Taken => store::sessions::save(&mut tx, &session).await?,
            Reported::Failed(_) => save_failed(&mut tx, &session).await?,
        }
        tx.commit().await?;
        Ok(Progress::of(&session.value))
    }
}

impl Progress {
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            valid_watch_sec: session.watched.count(),
            required_sec: required_sec(session.duration_sec()),
            status: session.state.as_str(),
            check: session.asked(),
        }
    }
}

/// The caller's session. Another's is not found; a token that is not its newest is refused.
pub(crate) async fn own_session(
    tx: &mut Tx,
    caller: &Caller,
    session: SessionId,
    token: Option<&str>,
) -> Result<Stored, Error> {
    let worker = own(caller, None)?;
    let stored = store::sessions::get(tx, session).await?;
    let stored =
        stored.filter(|stored| stored.session.value.worker == worker).ok_or(Error::NotFound)?;
    if token.is_some_and(|token| token::hash(token) != stored.token_hash) {
        return Err(Error::SessionToken);
    }
    Ok(stored)
}
