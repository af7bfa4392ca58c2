use std::collections::BTreeMap;

use auth::Caller;
use types::{DailyTicketId, TicketId};

use super::outcome::{Told, trained_by, warnings_of};
use super::{App, Error, scope};
use crate::domain::{AccessCounts, Ticket, TrainingCounts, Warning};
use crate::store::{self, Versioned};

/// A ticket, and how far each of its days is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketView {
    pub ticket: Versioned<Ticket>,
    pub counts: BTreeMap<DailyTicketId, (TrainingCounts, AccessCounts)>,
    pub warnings: Vec<Warning>,
}

impl App {
    #[tracing::instrument(name = "ticket.get", skip_all, fields(ticket.id = %id))]
    pub async fn get_ticket(&self, caller: &Caller, id: TicketId) -> Result<TicketView, Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        let ticket = self.ticket(&mut tx, caller, id).await?;
        let counts = store::progress::counts(&mut tx, &ticket.value).await?;
        let trained = trained_by(&counts);
        let (now, told) = (self.clock.now(), Told::default());
        let warnings = warnings_of(&mut tx, caller, &ticket.value, trained, told, now).await?;
        Ok(TicketView { ticket, counts, warnings })
    }
}
