use std::collections::BTreeMap;

use auth::Caller;
use types::{DailyTicketId, TicketId};

use super::{App, Error, scope};
use crate::domain::{AccessCounts, Ticket, TrainingCounts};
use crate::store::{self, Versioned};

/// A ticket, and how far each of its days is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketView {
    pub ticket: Versioned<Ticket>,
    pub counts: BTreeMap<DailyTicketId, (TrainingCounts, AccessCounts)>,
}

impl App {
    #[tracing::instrument(name = "ticket.get", skip_all, fields(ticket.id = %id))]
    pub async fn get_ticket(&self, caller: &Caller, id: TicketId) -> Result<TicketView, Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        let ticket = self.ticket(&mut tx, caller, id).await?;
        let counts = store::progress::counts(&mut tx, &ticket.value).await?;
        Ok(TicketView { ticket, counts })
    }
}
