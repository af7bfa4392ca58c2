//! Tells every live ticket again.

use chrono::{DateTime, Utc};
use events::{Announce, Announced, Live, Rows, async_trait};
use service::{StoreError, Tx};
use types::TicketId;

use crate::domain::{DayState, Ticket};
use crate::store::tickets;
use crate::wire;

/// A published ticket lives until it is cancelled or its last day is over. It is told as amended: nobody is to
/// announce it once more.
#[derive(Debug, Clone, Copy)]
pub struct Announcer;

#[async_trait]
impl Announce for Announcer {
    fn context(&self) -> &'static str {
        "ticket"
    }

    fn rows(&self, _kind: &str) -> Rows {
        Rows {
            table: "ticket.work_tickets",
            key: &[("ticket_id", "uuid")],
            live: "published_at IS NOT NULL AND cancelled_at IS NULL
                   AND EXISTS (SELECT FROM ticket.daily_tickets d WHERE d.ticket_id = work_tickets.ticket_id
                               AND d.expired_at IS NULL AND d.cancelled_at IS NULL)",
            since: "published_at",
        }
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        _kind: &str,
        live: &[Live],
    ) -> Result<Vec<Announced>, StoreError> {
        let mut ids = Vec::new();
        for Live { id, .. } in live {
            let id: TicketId = id.parse().map_err(|_| StoreError::corrupt("work_tickets", id))?;
            ids.push(id);
        }
        let tickets = tickets::get_many(tx, &ids).await?;
        let tell = |ticket: &crate::store::Versioned<Ticket>| {
            let at = last_change(&ticket.value);
            Announced::of(&wire::ticket_as_it_is(&ticket.value, ticket.version, at), at)
        };
        Ok(tickets.iter().map(tell).collect())
    }
}

/// When the ticket became what it now is.
fn last_change(ticket: &Ticket) -> DateTime<Utc> {
    let of_days = ticket.days.iter().filter_map(|day| match &day.state {
        DayState::Draft => None,
        DayState::InProgress { started_at: at, .. }
        | DayState::Published { at }
        | DayState::Expired { at, .. }
        | DayState::Cancelled { at, .. } => Some(*at),
    });
    let published = ticket.publication().map(|publication| publication.at);
    of_days.chain(published).max().unwrap_or(ticket.created_at)
}
