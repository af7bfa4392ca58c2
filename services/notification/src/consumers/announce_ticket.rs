use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::ticket::v1::{Ticket, TicketAmended, TicketPublished};
use service::{Tx, telemetry};
use types::{NotificationId, SiteZone, WorkerId};

use super::task;
use crate::domain::{Kind, Notice, Skip, State, Task};
use crate::record;
use crate::store::workers;

/// Queues one notice per worker of a published ticket, unless its publisher wants none, and one for each worker an
/// amendment adds: nobody is told twice of the same ticket. Who is known not to be bound is
/// skipped at once; of whom nothing is known yet, directory is asked when it is sent.
#[derive(Debug, Clone, Copy)]
pub struct AnnounceTicket;

#[events::async_trait]
impl Handler for AnnounceTicket {
    fn durable(&self) -> &'static str {
        "notification--announce-ticket"
    }

    fn context(&self) -> &'static str {
        TicketPublished::CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &[TicketPublished::NAME, TicketAmended::NAME]
    }

    /// Nobody is told of an old ticket once more because our tables were lost.
    fn replays(&self) -> bool {
        false
    }

    /// A ticket may name thousands: that is a batch already.
    fn batch(&self) -> usize {
        1
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let ticket = match delivery.name.as_str() {
            TicketPublished::NAME => delivery.decode::<TicketPublished>()?.ticket,
            TicketAmended::NAME => {
                let fact: TicketAmended = delivery.decode()?;
                // Told again for those who lost their tables: nobody amended it.
                if fact.amended_by.is_empty() {
                    return Ok(());
                }
                fact.ticket
            }
            _ => return Err(delivery.unexpected()),
        };
        let ticket = delivery.carried("ticket", ticket)?;
        if !ticket.publish_now {
            return Ok(());
        }
        let Some(task) = task(delivery, &ticket)? else { return Ok(()) };
        let template = notice(delivery, &ticket, task)?;
        let named: Vec<WorkerId> = delivery.parse_all("worker_ids", &ticket.worker_ids)?;
        let bound = workers::bound(tx, &named).await?;
        for worker in named {
            let mut notice = Notice { id: NotificationId::new(), worker, ..template.clone() };
            if bound.get(&worker) == Some(&false) {
                notice.state = State::Skipped { at: delivery.at, why: Skip::NotBound };
            }
            record::insert(tx, notice, delivery.at).await?;
        }
        Ok(())
    }
}

/// What all workers' notices have in common.
fn notice(delivery: &Delivery, ticket: &Ticket, task: Task) -> Result<Notice, Failure> {
    let zone: SiteZone = delivery.parse("time_zone", &ticket.time_zone)?;
    Ok(Notice {
        id: NotificationId::new(),
        site: delivery.parse("site_id", &ticket.site_id)?,
        contractor: delivery.parse("contractor_id", &ticket.contractor_id)?,
        worker: WorkerId::new(),
        ticket: delivery.parse("ticket_id", &ticket.ticket_id)?,
        ticket_version: delivery.version,
        day: task.day,
        kind: Kind::TicketPublished,
        zone,
        content: task.content,
        state: State::Queued { due_at: delivery.at },
        attempts: 0,
        by_hand: None,
        created_at: delivery.at,
        traceparent: telemetry::current_traceparent(),
    })
}
