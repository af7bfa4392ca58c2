use std::collections::BTreeSet;

use auth::Caller;
use service::{Fields, Refusal};
use types::{
    AreaId, DailyTicketId, ErrorCode, FieldProblem, Permission, TicketId, VideoId, WorkerId,
};

use super::create_ticket::{MOST_AREAS, MOST_VIDEOS, MOST_WORKERS, add};
use super::outcome::{Outcome, Told, outcome};
use super::record_edit::{Done, record};
use super::references::{References, Truth};
use super::{App, Error, commander, learn, scope, settled};
use crate::domain::{Action, Amended, Amendment, Listed, Roster, State, Ticket};
use crate::{store, wire};

/// What is to be otherwise on which ticket. `None`: stays, or could not be read and is recorded in `fields`.
#[derive(Debug)]
pub struct AmendTicket {
    pub caller: Caller,
    pub ticket: TicketId,
    /// The revision last read; of what cannot overwrite anybody's edit none is named.
    pub revision: Option<u64>,
    pub reason: Option<String>,
    /// Says what would change, and changes nothing.
    pub preview: bool,
    /// What could not be read; the rest of what does not fit is added here.
    pub fields: Fields,
    /// But its lists.
    pub amendment: Amendment,
    pub areas: Option<Listed<AreaId>>,
    pub videos: Option<Listed<VideoId>>,
    pub workers: Workers,
}

/// How the ticket's workers are to be otherwise.
#[derive(Debug)]
pub enum Workers {
    Stay,
    Are(Listed<WorkerId>),
    And(Listed<WorkerId>),
    Without(WorkerId),
}

impl App {
    /// Changes what a ticket says, on every day that is not over, or says what that would bring. What the ticket says
    /// already changes nothing.
    #[tracing::instrument(name = "ticket.amend", skip_all, fields(ticket.id = %cmd.ticket))]
    pub async fn amend_ticket(&self, mut cmd: AmendTicket) -> Result<Outcome, Error> {
        commander(&cmd.caller)?;
        let mut tx = self.store.begin(scope(&cmd.caller)).await?;
        let ticket = self.ticket(&mut tx, &cmd.caller, cmd.ticket).await?.value;
        if let Workers::Without(worker) = cmd.workers
            && !ticket.workers.contains(&worker)
            && !store::edits::took_off(&mut tx, cmd.ticket, worker).await?
        {
            return Err(Error::NotFound);
        }
        drop(tx);
        is_current(&cmd, &ticket)?;
        let amendment = cmd.amendment(&ticket)?;
        may(&cmd.caller, &amendment, &ticket)?;
        let told = self.examine(&mut cmd, &amendment, &ticket).await?;
        let Some(reason) = cmd.reason.take() else {
            return Err(Error::Invalid(Refusal::new(ErrorCode::ValidationFailed)));
        };
        settled(|| self.write(&cmd, &reason, told.as_ref())).await
    }

    async fn write(
        &self,
        cmd: &AmendTicket,
        reason: &str,
        truth: Option<&Truth>,
    ) -> Result<Outcome, Error> {
        let by = commander(&cmd.caller)?;
        let now = self.clock.now();
        let mut tx = self.store.begin(scope(&cmd.caller)).await?;
        let mut ticket = self.ticket(&mut tx, &cmd.caller, cmd.ticket).await?;
        is_current(cmd, &ticket.value)?;
        let before = ticket.value.clone();
        let amendment = cmd.amendment(&before)?;
        // Somebody may have published it, or taken a worker off it, since it was examined.
        may(&cmd.caller, &amendment, &before)?;
        if !is_examined(&amendment, &before, truth) {
            return Err(Error::Stale);
        }
        // A day may have ended since it was examined.
        fitting(&mut Fields::default(), amendment.problems(&before, max_span(truth), now))?;
        let amended = ticket.value.amend(amendment, now, reason, DailyTicketId::new)?;
        let told = truth.map(Told::from).unwrap_or_default();
        if cmd.preview || amended == Amended::Nothing {
            return outcome(&mut tx, &cmd.caller, &before, ticket, told, now).await;
        }
        store::tickets::amend(&mut tx, &mut ticket).await?;
        if let Some((roster, days)) = Roster::left_behind(&before, &ticket.value) {
            store::rosters::keep(&mut tx, &before, &roster, &days).await?;
        }
        if let Some(truth) = truth {
            learn(&mut tx, &ticket.value, truth).await?;
        }
        if let State::Active(_) = ticket.value.state {
            let fact = wire::ticket_amended(&ticket.value, ticket.version, by, reason, now);
            events::enqueue(&mut tx, &fact, now).await?;
        }
        let outcome = outcome(&mut tx, &cmd.caller, &before, ticket, told, now).await?;
        let done = Done {
            caller: &cmd.caller,
            by,
            action: Action::Amended,
            ticket: &outcome.ticket.value,
            target: ("work_ticket", cmd.ticket.to_string()),
            changes: outcome.changes.clone(),
            reason: Some(reason),
            at: now,
        };
        record(&mut tx, done).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// Names everything that does not fit at once, after asking the owners about what is new.
    async fn examine(
        &self,
        cmd: &mut AmendTicket,
        amendment: &Amendment,
        ticket: &Ticket,
    ) -> Result<Option<Truth>, Error> {
        let mut problems = cmd.list_problems();
        let added = |named: Option<&Listed<WorkerId>>| match named {
            Some(Listed { read, .. }) => fresh(read, &ticket.workers, MOST_WORKERS),
            None => BTreeSet::new(),
        };
        let workers = match &cmd.workers {
            Workers::Are(named) | Workers::And(named) => added(Some(named)),
            Workers::Stay | Workers::Without(_) => added(None),
        };
        let areas = cmd.areas.as_ref().map(|areas| fresh(&areas.read, &ticket.areas, MOST_AREAS));
        let videos =
            cmd.videos.as_ref().map(|videos| fresh(&videos.read, &ticket.videos, MOST_VIDEOS));
        let about = References {
            site: ticket.site,
            contractor: ticket.contractor,
            areas: areas.unwrap_or_default(),
            workers: if amendment.moves_dates() {
                // Engagements may end before the new dates do, of those who stay too.
                amendment.workers.as_ref().unwrap_or(&ticket.workers).iter().copied().collect()
            } else {
                workers.clone()
            },
            videos: videos.unwrap_or_default(),
        };
        let truth = if amendment.moves_dates() || !about.is_empty() {
            match self.ask(&cmd.caller, &about).await {
                Err(Error::Peer(refusal)) => {
                    // What is known to be wrong can be mended meanwhile.
                    fitting(&mut cmd.fields, problems)?;
                    return Err(Error::Peer(refusal));
                }
                answer => Some(answer?),
            }
        } else {
            None
        };
        if let Some(truth) = &truth {
            // Who was on the ticket before is not judged anew.
            let strangers = truth.unknown_workers.intersection(&workers).copied().collect();
            problems.extend(cmd.unknown(truth, &strangers));
        }
        problems.extend(amendment.problems(ticket, max_span(truth.as_ref()), self.clock.now()));
        fitting(&mut cmd.fields, problems)?;
        Ok(truth)
    }
}

/// Days that a ticket may have; of a change that asks nobody, whatever it has.
fn max_span(truth: Option<&Truth>) -> u32 {
    truth.map_or(u32::MAX, |truth| truth.max_span_days)
}

/// Nothing that does not fit is known yet, and these are none.
fn fitting(fields: &mut Fields, problems: Vec<FieldProblem>) -> Result<(), Error> {
    add(fields, problems);
    std::mem::take(fields).finish().map_err(Error::Invalid)
}

impl AmendTicket {
    /// The whole amendment of this ticket, without what it says already.
    fn amendment(&self, ticket: &Ticket) -> Result<Amendment, Error> {
        let workers = match &self.workers {
            Workers::Stay => None,
            Workers::Are(named) => Some(named.values()),
            Workers::And(named) => {
                let mut all = ticket.workers.clone();
                all.extend(named.values().into_iter().filter(|id| !ticket.workers.contains(id)));
                Some(all)
            }
            Workers::Without(gone) => {
                Some(ticket.workers.iter().copied().filter(|worker| worker != gone).collect())
            }
        };
        let amendment = Amendment {
            areas: self.areas.as_ref().map(Listed::values),
            videos: self.videos.as_ref().map(Listed::values),
            workers,
            ..self.amendment.clone()
        };
        let amendment = amendment.of(ticket);
        let most = amendment.workers.as_ref().map_or(0, Vec::len);
        if most > MOST_WORKERS {
            let refusal = Refusal::new(ErrorCode::ValidationFailed);
            let problem = format!("the ticket would name more than {MOST_WORKERS}");
            return Err(Error::Invalid(refusal.field("worker_ids", problem)));
        }
        if amendment.workers.as_ref().is_some_and(Vec::is_empty)
            && matches!(self.workers, Workers::Without(_))
        {
            let refusal = Refusal::new(ErrorCode::ValidationFailed);
            let problem = "is the ticket's last worker; cancel the ticket instead";
            return Err(Error::Invalid(refusal.field("worker_id", problem)));
        }
        Ok(amendment)
    }

    fn list_problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        if let Some(areas) = &self.areas {
            problems.extend(areas.problems("area_ids", MOST_AREAS));
        }
        if let Workers::Are(workers) | Workers::And(workers) = &self.workers {
            problems.extend(workers.problems("worker_ids", MOST_WORKERS));
        }
        if let Some(videos) = &self.videos {
            problems.extend(videos.problems("video_ids", MOST_VIDEOS));
        }
        problems
    }

    fn unknown(&self, truth: &Truth, strangers: &BTreeSet<WorkerId>) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        if let Some(areas) = &self.areas {
            problems.extend(areas.unknown("area_ids", &truth.unknown_areas));
        }
        if let Workers::Are(workers) | Workers::And(workers) = &self.workers {
            problems.extend(workers.unknown("worker_ids", strangers));
        }
        if let Some(videos) = &self.videos {
            problems.extend(videos.unknown("video_ids", &truth.unknown_videos));
        }
        problems
    }
}

/// Whether the ticket is still what the caller read.
fn is_current(cmd: &AmendTicket, ticket: &Ticket) -> Result<(), Error> {
    match cmd.revision {
        Some(revision) if revision != ticket.revision => Err(Error::Stale),
        _ => Ok(()),
    }
}

/// Whether directory was asked about every worker the ticket does not name yet.
fn is_examined(amendment: &Amendment, ticket: &Ticket, truth: Option<&Truth>) -> bool {
    let Some(workers) = &amendment.workers else { return true };
    let mut added = workers.iter().filter(|worker| !ticket.workers.contains(worker));
    added.all(|worker| truth.is_some_and(|truth| truth.asked_workers.contains(worker)))
}

/// Some fields of a published ticket take a permission of their own; each that does is named.
fn may(caller: &Caller, amendment: &Amendment, ticket: &Ticket) -> Result<(), Error> {
    let far = amendment.reaching_far(ticket);
    let needed = Permission::TicketAmendScope;
    if far.is_empty() || caller.require(needed).is_ok() {
        return Ok(());
    }
    let refusal = Refusal::new(ErrorCode::PermissionDenied).data("permission", needed.as_str());
    let problem = "is not yours to change once the ticket is published";
    Err(Error::Forbidden(far.into_iter().fold(refusal, |all, field| all.field(field, problem))))
}

/// Of what is named, what the ticket does not name yet.
fn fresh<T: Copy + Ord>(named: &[(usize, T)], before: &[T], most: usize) -> BTreeSet<T> {
    named.iter().map(|(_, id)| *id).take(most).filter(|id| !before.contains(id)).collect()
}
