//! What others tell. One handler queues notices; the others keep read copies, each row guarded by the fact's version,
//! and what still waits goes by them.

mod announce_ticket;
mod follow_areas;
mod follow_tickets;
mod follow_workers;

use events::{Delivery, Failure};
use proto::ticket::v1::{DailyTicket, Ticket};

use crate::domain::{Content, Task};

pub use announce_ticket::AnnounceTicket;
pub use follow_areas::FollowAreas;
pub use follow_tickets::FollowTickets;
pub use follow_workers::FollowWorkers;

/// What a ticket has its workers do; nothing once none of its days is open.
fn task(delivery: &Delivery, ticket: &Ticket) -> Result<Option<Task>, Failure> {
    let open = |day: &&DailyTicket| matches!(day.status.as_str(), "PUBLISHED" | "IN_PROGRESS");
    // "YYYY-MM-DD" sorts as it should.
    let first = ticket.daily_tickets.iter().filter(open).min_by_key(|day| &day.date);
    let Some(day) = first else { return Ok(None) };
    let deadline_at = proto::instant(day.deadline_at.as_ref());
    Ok(Some(Task {
        day: delivery.parse("daily_ticket_id", &day.daily_ticket_id)?,
        content: Content {
            title: ticket.title.clone(),
            date: delivery.parse("date", &day.date)?,
            deadline_at: delivery.carried("deadline", deadline_at)?,
            areas: delivery.parse_all("area_ids", &ticket.area_ids)?,
            video_count: u32::try_from(ticket.video_ids.len()).unwrap_or(u32::MAX),
        },
    }))
}
