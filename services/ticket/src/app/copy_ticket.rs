use auth::Caller;
use chrono::NaiveDate;
use proto::ticket::v1::CreateTicketResponse;
use service::Fields;
use service::idempotency::Key;
use types::TicketId;

use super::references::References;
use super::{App, CreateTicket, Error, commander, scope};
use crate::domain::{Deadline, Listed, Ticket, Warning};

/// Which ticket is wanted again, and for which dates.
#[derive(Debug)]
pub struct CopyTicket {
    pub caller: Caller,
    pub key: Option<Key>,
    pub fields: Fields,
    pub ticket: TicketId,
    pub first_date: Option<NaiveDate>,
    /// `None`: as many days as the original has.
    pub last_date: Option<NaiveDate>,
    /// `None`: the original's.
    pub title: Option<String>,
}

impl App {
    /// Makes a draft of the same terms, people and places. What is no longer there is left out, with a warning. The
    /// same key and body again get the same answer.
    #[tracing::instrument(name = "ticket.copy", skip_all, fields(ticket.id = %cmd.ticket))]
    pub async fn copy_ticket(&self, cmd: CopyTicket) -> Result<CreateTicketResponse, Error> {
        commander(&cmd.caller)?;
        let mut tx = self.store.begin(scope(&cmd.caller)).await?;
        let original = self.ticket(&mut tx, &cmd.caller, cmd.ticket).await?.value;
        drop(tx);
        let mut new = copy(cmd, &original);
        if let Some(answer) = self.answer_given(&new).await? {
            return Ok(answer);
        }
        let truth = self.ask(&new.caller, &References::of(&original)).await?;
        new.areas = without(&original.areas, |id| truth.unknown_areas.contains(id));
        new.workers = without(&original.workers, |id| truth.unknown_workers.contains(id));
        new.videos = without(&original.videos, |id| truth.unknown_videos.contains(id));
        let workers = truth.unknown_workers.iter();
        new.warnings.extend(workers.map(|worker| Warning::WorkerLeftOut { worker: *worker }));
        let areas = truth.unknown_areas.iter();
        new.warnings.extend(areas.map(|area| Warning::AreaLeftOut { area: *area }));
        let videos = truth.unknown_videos.iter();
        new.warnings.extend(videos.map(|video| Warning::VideoLeftOut { video: *video }));
        self.create_ticket(new).await
    }
}

/// A deadline that the site gave is the site's of today; everything else is the original's.
fn copy(cmd: CopyTicket, original: &Ticket) -> CreateTicket {
    let length = original.last_date - original.first_date;
    let last_date = cmd.last_date.or_else(|| cmd.first_date?.checked_add_signed(length));
    CreateTicket {
        caller: cmd.caller,
        key: cmd.key,
        fields: cmd.fields,
        site: Some(original.site),
        contractor: Some(original.contractor),
        title: cmd.title.or_else(|| Some(original.title.clone())),
        remark: original.remark.clone(),
        first_date: cmd.first_date,
        last_date,
        access_start: Some(original.terms.window.start),
        access_end: Some(original.terms.window.end),
        deadline: match original.terms.deadline {
            Deadline::Given(time) => Some(time),
            Deadline::SiteDefault(_) => None,
        },
        video_rule: Some(original.terms.video_rule),
        areas: without(&original.areas, |_| false),
        workers: without(&original.workers, |_| false),
        videos: without(&original.videos, |_| false),
        publish_now: Some(original.terms.publish_now),
        daily_reminder: Some(original.terms.daily_reminder),
        draft: true,
        warnings: Vec::new(),
    }
}

fn without<T: Copy + Ord>(ids: &[T], is_gone: impl Fn(&T) -> bool) -> Listed<T> {
    Listed::of(ids.iter().copied().filter(|id| !is_gone(id)))
}
