use auth::Caller;
use chrono::{DateTime, Utc};
use service::Fields;
use types::TicketId;

use super::create_ticket::add;
use super::outcome::{Told, trained_by, warnings_of};
use super::record_edit::{Done, record};
use super::references::{References, Truth};
use super::{App, Error, commander, learn, scope, settled};
use crate::domain::{Action, Listed, Publication, Published, State, Ticket, Warning, check_dates};
use crate::wire::Changes;
use crate::{store, wire};

/// Since when a ticket is visible, and what to know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedTicket {
    pub at: DateTime<Utc>,
    pub warnings: Vec<Warning>,
    /// When the roster its people were checked by was last read; nobody is checked again on a ticket that is public.
    pub roster_synced_at: Option<DateTime<Utc>>,
}

impl App {
    /// Makes a draft and its days visible, if such a ticket could be made now. Publishing again changes nothing.
    #[tracing::instrument(name = "ticket.publish", skip_all, fields(ticket.id = %id))]
    pub async fn publish_ticket(
        &self,
        caller: &Caller,
        id: TicketId,
    ) -> Result<PublishedTicket, Error> {
        commander(caller)?;
        let mut tx = self.store.begin(scope(caller)).await?;
        let ticket = self.ticket(&mut tx, caller, id).await?.value;
        drop(tx);
        let truth = match ticket.state {
            State::Draft => Some(self.examine_draft(caller, &ticket).await?),
            State::Active(_) | State::Cancelled { .. } => None,
        };
        settled(|| self.publish(caller, id, truth.as_ref())).await
    }

    async fn publish(
        &self,
        caller: &Caller,
        id: TicketId,
        truth: Option<&Truth>,
    ) -> Result<PublishedTicket, Error> {
        let (by, now) = (commander(caller)?, self.clock.now());
        let mut tx = self.store.begin(scope(caller)).await?;
        let mut ticket = self.ticket(&mut tx, caller, id).await?;
        let before = ticket.value.clone();
        let published = ticket.value.publish(by, now)?;
        let (Published::Now { at } | Published::Already { at }) = published;
        if let Published::Now { .. } = published {
            store::tickets::save(&mut tx, &mut ticket).await?;
            let publication = Publication { by, at };
            let fact = wire::ticket_published(&ticket.value, ticket.version, publication);
            events::enqueue(&mut tx, &fact, at).await?;
            if let Some(truth) = truth {
                learn(&mut tx, &ticket.value, truth).await?;
            }
            let done = Done {
                caller,
                by,
                action: Action::Published,
                ticket: &ticket.value,
                target: ("work_ticket", id.to_string()),
                changes: Changes::of(&before, &ticket.value),
                reason: None,
                at,
            };
            record(&mut tx, done).await?;
        }
        let trained = trained_by(&store::progress::counts(&mut tx, &ticket.value).await?);
        let told = truth.map(Told::from).unwrap_or_default();
        let warnings = warnings_of(&mut tx, caller, &ticket.value, trained, told, now).await?;
        if let Published::Now { .. } = published {
            tx.commit().await?;
        }
        let roster_synced_at = truth.and_then(|truth| truth.roster_synced_at);
        Ok(PublishedTicket { at, warnings, roster_synced_at })
    }

    /// Asks the owners about all that a draft names, and names everything that no longer fits at once.
    async fn examine_draft(&self, caller: &Caller, draft: &Ticket) -> Result<Truth, Error> {
        let mut fields = Fields::new();
        add(&mut fields, draft.passed(self.clock.now()));
        let truth = match self.ask(caller, &References::of(draft)).await {
            Err(Error::Peer(refusal)) => {
                // What is known to be wrong can be mended meanwhile.
                fields.finish().map_err(Error::Invalid)?;
                return Err(Error::Peer(refusal));
            }
            answer => answer?,
        };
        fields.check(truth.contractor_on_site, "contractor_id", "does not work on this site");
        let (first, last) = (draft.first_date, draft.last_date);
        add(&mut fields, check_dates(Some(first), Some(last), Some((first, truth.max_span_days))));
        let areas = Listed::of(draft.areas.iter().copied());
        add(&mut fields, areas.unknown("area_ids", &truth.unknown_areas));
        let workers = Listed::of(draft.workers.iter().copied());
        add(&mut fields, workers.unknown("worker_ids", &truth.unknown_workers));
        let videos = Listed::of(draft.videos.iter().copied());
        add(&mut fields, videos.unknown("video_ids", &truth.unknown_videos));
        fields.finish().map_err(Error::Invalid)?;
        Ok(truth)
    }
}
