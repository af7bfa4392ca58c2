use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::ticket::v1::{
    DailyTicketCancelled, DailyTicketExpired, DailyTicketStarted, TicketAmended, TicketCancelled,
    TicketPublished,
};
use service::Tx;

use super::task;
use crate::record;
use crate::store::notices;
use crate::store::tickets::{self, Ticket};

/// Keeps who is named on which days: whose task it is to open. What waits to be sent follows: it says what the ticket
/// now says, and is withdrawn where there is nothing left to say.
#[derive(Debug, Clone, Copy)]
pub struct FollowTickets;

#[events::async_trait]
impl Handler for FollowTickets {
    fn durable(&self) -> &'static str {
        "notification--follow-tickets"
    }

    fn context(&self) -> &'static str {
        TicketPublished::CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &[
            TicketPublished::NAME,
            TicketAmended::NAME,
            TicketCancelled::NAME,
            DailyTicketStarted::NAME,
            DailyTicketExpired::NAME,
            DailyTicketCancelled::NAME,
        ]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Ticket"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let ticket = match delivery.name.as_str() {
            TicketPublished::NAME => delivery.decode::<TicketPublished>()?.ticket,
            TicketAmended::NAME => delivery.decode::<TicketAmended>()?.ticket,
            TicketCancelled::NAME => delivery.decode::<TicketCancelled>()?.ticket,
            DailyTicketStarted::NAME => delivery.decode::<DailyTicketStarted>()?.ticket,
            DailyTicketExpired::NAME => delivery.decode::<DailyTicketExpired>()?.ticket,
            DailyTicketCancelled::NAME => delivery.decode::<DailyTicketCancelled>()?.ticket,
            _ => return Err(delivery.unexpected()),
        };
        let ticket = delivery.carried("ticket", ticket)?;
        let days = ticket.daily_tickets.iter().map(|day| day.daily_ticket_id.clone());
        let ticket = Ticket {
            id: delivery.parse("ticket_id", &ticket.ticket_id)?,
            site: delivery.parse("site_id", &ticket.site_id)?,
            workers: delivery.parse_all("worker_ids", &ticket.worker_ids)?,
            days: delivery.parse_all("daily_ticket_id", &days.collect::<Vec<_>>())?,
            task: task(delivery, &ticket)?,
            version: delivery.row_version()?,
        };
        if !tickets::keep(tx, &ticket).await? {
            return Ok(());
        }
        let mut following = notices::following(tx, ticket.id).await?;
        let words = tickets::words(tx, &following).await?;
        for notice in &mut following {
            let word = words.get(&notice.value.id);
            if word.is_some_and(|word| notice.value.follow(word, delivery.at)) {
                record::save(tx, notice, delivery.at).await?;
            }
        }
        Ok(())
    }
}
