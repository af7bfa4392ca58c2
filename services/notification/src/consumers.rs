//! What others tell. One handler queues notices; the others keep read copies, each row guarded by the fact's version.

mod announce_ticket;
mod follow_areas;
mod follow_tickets;
mod follow_workers;

pub use announce_ticket::AnnounceTicket;
pub use follow_areas::FollowAreas;
pub use follow_tickets::FollowTickets;
pub use follow_workers::FollowWorkers;
