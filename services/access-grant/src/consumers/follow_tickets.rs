use chrono::NaiveDate;
use events::{Delivery, Failure, Handler, async_trait};
use proto::ticket::v1 as pb;
use service::Tx;
use types::{AreaId, InstantWindow, SiteClock, SiteZone, WorkerId};

use super::{instant, missing, parse, parse_all};
use crate::ensure::ensure_grants;
use crate::store::lock;
use crate::store::tickets::{self, DayVersion, TicketVersion, Which};

/// Keeps each version of each ticket, and brings the grants of its days to the newest.
#[derive(Debug, Clone)]
pub struct FollowTickets {
    clock: SiteClock,
}

impl FollowTickets {
    pub fn new(clock: SiteClock) -> Self {
        Self { clock }
    }
}

#[async_trait]
impl Handler for FollowTickets {
    fn durable(&self) -> &'static str {
        "access-grant--follow-tickets"
    }

    fn context(&self) -> &'static str {
        "ticket"
    }

    fn events(&self) -> &'static [&'static str] {
        &[
            "TicketPublished",
            "TicketAmended",
            "TicketCancelled",
            "DailyTicketStarted",
            "DailyTicketExpired",
            "DailyTicketCancelled",
        ]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Ticket"]
    }

    /// Grants are brought up to date once a transaction, last.
    fn batch(&self) -> usize {
        1
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let ticket = match delivery.name.as_str() {
            "TicketPublished" => delivery.decode::<pb::TicketPublished>()?.ticket,
            "TicketAmended" => delivery.decode::<pb::TicketAmended>()?.ticket,
            "TicketCancelled" => delivery.decode::<pb::TicketCancelled>()?.ticket,
            "DailyTicketStarted" => delivery.decode::<pb::DailyTicketStarted>()?.ticket,
            "DailyTicketExpired" => delivery.decode::<pb::DailyTicketExpired>()?.ticket,
            "DailyTicketCancelled" => delivery.decode::<pb::DailyTicketCancelled>()?.ticket,
            _ => return Ok(()),
        };
        let ticket = read(&ticket.ok_or_else(|| missing("ticket"))?, delivery)?;
        lock::site(tx, ticket.site).await?;
        if tickets::keep(tx, &ticket).await? {
            let days = tickets::days(tx, Which::Ticket(ticket.id)).await?;
            ensure_grants(tx, &days, None, self.clock.now()).await?;
        }
        Ok(())
    }
}

fn read(ticket: &pb::Ticket, delivery: &Delivery) -> Result<TicketVersion, Failure> {
    let zone: SiteZone = parse("time_zone", &ticket.time_zone)?;
    let areas: Vec<AreaId> = parse_all("area_ids", &ticket.area_ids)?;
    let workers: Vec<WorkerId> = parse_all("worker_ids", &ticket.worker_ids)?;
    Ok(TicketVersion {
        id: parse("ticket_id", &ticket.ticket_id)?,
        version: ticket.version,
        site: parse("site_id", &ticket.site_id)?,
        contractor: parse("contractor_id", &ticket.contractor_id)?,
        effective_at: delivery.at,
        status: ticket.status.clone(),
        zone,
        areas: areas.into_iter().map(AreaId::as_uuid).collect(),
        workers: workers.into_iter().map(WorkerId::as_uuid).collect(),
        days: ticket
            .daily_tickets
            .iter()
            .map(|day| read_day(day, zone))
            .collect::<Result<_, _>>()?,
    })
}

fn read_day(day: &pb::DailyTicket, zone: SiteZone) -> Result<DayVersion, Failure> {
    let date: NaiveDate = parse("date", &day.date)?;
    let window = InstantWindow {
        start: instant("access_start_at", day.access_start_at.as_ref())?,
        end: instant("access_end_at", day.access_end_at.as_ref())?,
    };
    Ok(DayVersion {
        id: parse("daily_ticket_id", &day.daily_ticket_id)?,
        status: day.status.clone(),
        live: decision::DailyTicket::live_span(date, window, zone),
        window,
        deadline_at: instant("deadline_at", day.deadline_at.as_ref())?,
    })
}
