use std::collections::BTreeSet;

use auth::Caller;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use prost::Message;
use proto::ticket::v1::CreateTicketResponse;
use service::idempotency::{self, Claim, Key};
use service::{Fields, Refusal, Scope, StoreError};
use types::{
    AccountId, AreaId, ContractorId, DailyTicketId, ErrorCode, FieldProblem, SiteId, TicketId,
    TimeWindow, VideoId, WorkerId,
};

use super::outcome::{Told, warnings_of};
use super::record_edit::{Done, record};
use super::references::{References, Truth};
use super::{App, Error, commander, learn, reaches, scope};
use crate::domain::{
    Action, Deadline, Listed, NewTicket, Published, Terms, Ticket, VideoRule, Warning, check_dates,
    check_windows,
};
use crate::wire::Changes;
use crate::{store, wire};

/// A ticket travels whole in each of its facts, and a fact has a largest size.
pub(super) const MOST_AREAS: usize = 100;
pub(super) const MOST_WORKERS: usize = 2_000;
pub(super) const MOST_VIDEOS: usize = 50;

/// What was asked for. `None`: not given where that is allowed, or not readable and recorded in `fields`.
#[derive(Debug)]
pub struct CreateTicket {
    pub caller: Caller,
    pub key: Option<Key>,
    /// What could not be read; the rest of what does not fit is added here.
    pub fields: Fields,
    pub site: Option<SiteId>,
    pub contractor: Option<ContractorId>,
    pub title: Option<String>,
    pub remark: String,
    pub first_date: Option<NaiveDate>,
    pub last_date: Option<NaiveDate>,
    pub access_start: Option<NaiveTime>,
    pub access_end: Option<NaiveTime>,
    pub deadline: Option<NaiveTime>,
    pub video_rule: Option<VideoRule>,
    pub areas: Listed<AreaId>,
    pub workers: Listed<WorkerId>,
    pub videos: Listed<VideoId>,
    pub publish_now: Option<bool>,
    pub daily_reminder: Option<bool>,
    pub draft: bool,
    /// What whoever asks for it should know besides.
    pub warnings: Vec<Warning>,
}

impl App {
    /// Makes a ticket and its days, and publishes it unless it is to stay a draft. The same key and body again get
    /// the same answer, whatever has changed since.
    #[tracing::instrument(name = "ticket.create", skip_all, fields(ticket.id))]
    pub async fn create_ticket(
        &self,
        mut cmd: CreateTicket,
    ) -> Result<CreateTicketResponse, Error> {
        let by = commander(&cmd.caller)?;
        if let Some(answer) = self.answer_given(&cmd).await? {
            return Ok(answer);
        }
        let truth = self.check(&mut cmd).await?;
        let now = self.clock.now();
        let new = fit(&mut cmd, &truth, by, now)?;
        let mut ticket = Ticket::draft(new, DailyTicketId::new);
        tracing::Span::current().record("ticket.id", ticket.id.to_string());
        if !cmd.draft {
            match ticket.publish(by, now)? {
                Published::Now { .. } | Published::Already { .. } => {}
            }
            // Making it and publishing it was one edit.
            ticket.revision = 1;
        }

        let mut tx = self.store.begin(Scope::Site(ticket.site)).await?;
        if let Claim::Replay(answer) =
            idempotency::claim(&mut tx, cmd.key.as_ref(), self.shell.system.now()).await?
        {
            return replay(&answer);
        }
        let ticket = store::tickets::insert(&mut tx, &ticket).await?;
        let workers = ticket.value.workers.iter().copied();
        let unbound: Vec<WorkerId> =
            workers.filter(|id| truth.unbound_workers.contains(id)).collect();
        learn(&mut tx, &ticket.value, &truth).await?;
        if let Some(publication) = ticket.value.publication() {
            events::enqueue(
                &mut tx,
                &wire::ticket_published(&ticket.value, ticket.version, publication),
                now,
            )
            .await?;
        }
        let done = Done {
            caller: &cmd.caller,
            by,
            action: Action::Created,
            ticket: &ticket.value,
            target: ("work_ticket", ticket.value.id.to_string()),
            changes: Changes::whole(&ticket.value),
            reason: None,
            at: now,
        };
        record(&mut tx, done).await?;
        let (none, told) = (BTreeSet::new(), Told::from(&truth));
        let (caller, ticket) = (&cmd.caller, &ticket.value);
        let mut warnings = warnings_of(&mut tx, caller, ticket, none, told, now).await?;
        warnings.append(&mut cmd.warnings);
        let answer = wire::ticket_created(ticket.id, &unbound, &warnings, truth.roster_synced_at);
        idempotency::answer(&mut tx, cmd.key.as_ref(), &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }

    /// What this key was answered before. Looked up first: a repeated call is not judged by what has changed since.
    pub(super) async fn answer_given(
        &self,
        cmd: &CreateTicket,
    ) -> Result<Option<CreateTicketResponse>, Error> {
        if cmd.key.is_none() {
            return Ok(None);
        }
        let mut tx = self.store.begin(scope(&cmd.caller)).await?;
        // Not committed: a key that is new here is claimed again in the transaction of its effect.
        match idempotency::claim(&mut tx, cmd.key.as_ref(), self.shell.system.now()).await? {
            Claim::Replay(answer) => replay(&answer).map(Some),
            Claim::New => Ok(None),
        }
    }

    /// Adds what does not fit by itself, and gets the truth about what the request names of others.
    async fn check(&self, cmd: &mut CreateTicket) -> Result<Truth, Error> {
        add(&mut cmd.fields, cmd.areas.problems("area_ids", MOST_AREAS));
        add(&mut cmd.fields, cmd.workers.problems("worker_ids", MOST_WORKERS));
        add(&mut cmd.fields, cmd.videos.problems("video_ids", MOST_VIDEOS));
        let (Some(site), Some(contractor)) = (cmd.site, cmd.contractor) else {
            add(&mut cmd.fields, check_dates(cmd.first_date, cmd.last_date, None));
            return Err(unfit(&mut cmd.fields));
        };
        if !reaches(&cmd.caller, site, contractor) {
            return Err(Error::NotFound);
        }
        let references = References {
            site,
            contractor,
            areas: first(&cmd.areas, MOST_AREAS),
            workers: first(&cmd.workers, MOST_WORKERS),
            videos: first(&cmd.videos, MOST_VIDEOS),
        };
        match self.ask(&cmd.caller, &references).await {
            Err(Error::Peer(refusal)) => {
                // What is known to be wrong can be mended meanwhile.
                std::mem::take(&mut cmd.fields).finish().map_err(Error::Invalid)?;
                Err(Error::Peer(refusal))
            }
            answer => answer,
        }
    }
}

/// The ticket that was asked for, or every field that does not fit.
fn fit(
    cmd: &mut CreateTicket,
    truth: &Truth,
    created_by: AccountId,
    created_at: DateTime<Utc>,
) -> Result<NewTicket, Error> {
    let terms = Terms {
        zone: truth.zone,
        window: TimeWindow {
            start: cmd.access_start.unwrap_or(truth.window.start),
            end: cmd.access_end.unwrap_or(truth.window.end),
        },
        deadline: cmd.deadline.map_or(Deadline::SiteDefault(truth.deadline), Deadline::Given),
        leads: truth.leads,
        video_rule: cmd.video_rule.unwrap_or(truth.video_rule),
        publish_now: cmd.publish_now.unwrap_or(truth.publish_now),
        daily_reminder: cmd.daily_reminder.unwrap_or(truth.daily_reminder),
    };
    cmd.fields.check(truth.contractor_on_site, "contractor_id", "does not work on this site");
    let today = truth.zone.date_at(created_at);
    let dates = check_dates(cmd.first_date, cmd.last_date, Some((today, truth.max_span_days)));
    if let (true, Some(first_date), Some(last_date)) =
        (dates.is_empty(), cmd.first_date, cmd.last_date)
    {
        add(&mut cmd.fields, check_windows(first_date, last_date, &terms));
    }
    add(&mut cmd.fields, dates);
    add(&mut cmd.fields, cmd.areas.unknown("area_ids", &truth.unknown_areas));
    add(&mut cmd.fields, cmd.workers.unknown("worker_ids", &truth.unknown_workers));
    add(&mut cmd.fields, cmd.videos.unknown("video_ids", &truth.unknown_videos));
    std::mem::take(&mut cmd.fields).finish().map_err(Error::Invalid)?;
    let (Some(site), Some(contractor), Some(title), Some(first_date), Some(last_date)) =
        (cmd.site, cmd.contractor, cmd.title.take(), cmd.first_date, cmd.last_date)
    else {
        return Err(unfit(&mut cmd.fields));
    };
    Ok(NewTicket {
        id: TicketId::new(),
        site,
        contractor,
        title,
        remark: std::mem::take(&mut cmd.remark),
        first_date,
        last_date,
        terms,
        areas: cmd.areas.values(),
        workers: cmd.workers.values(),
        videos: cmd.videos.values(),
        created_by,
        created_at,
    })
}

pub(super) fn add(fields: &mut Fields, problems: Vec<FieldProblem>) {
    for problem in problems {
        fields.problem(&problem.field, problem.problem);
    }
}

/// What is missing was recorded when it could not be read.
fn unfit(fields: &mut Fields) -> Error {
    let refusal = std::mem::take(fields).finish().err();
    Error::Invalid(refusal.unwrap_or_else(|| Refusal::new(ErrorCode::ValidationFailed)))
}

fn first<T: Copy + Ord>(listed: &Listed<T>, most: usize) -> BTreeSet<T> {
    listed.read.iter().map(|(_, id)| *id).take(most).collect()
}

fn replay(answer: &[u8]) -> Result<CreateTicketResponse, Error> {
    CreateTicketResponse::decode(answer)
        .map_err(|_| StoreError::corrupt("idempotency_keys", "an answer").into())
}
