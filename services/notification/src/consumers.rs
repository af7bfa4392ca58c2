//! What others tell. One handler queues notices; the others keep read copies, each row guarded by the fact's version.

mod announce_ticket;
mod follow_areas;
mod follow_tickets;
mod follow_workers;

use std::str::FromStr;

use events::{Delivery, Failure};

pub use announce_ticket::AnnounceTicket;
pub use follow_areas::FollowAreas;
pub use follow_tickets::FollowTickets;
pub use follow_workers::FollowWorkers;

/// What is not what it should be is for a person to look at.
fn read<T: FromStr>(delivery: &Delivery, field: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::Park(format!("{}: {field} cannot be read", delivery.name)))
}

fn read_all<T: FromStr>(
    delivery: &Delivery,
    field: &str,
    texts: &[String],
) -> Result<Vec<T>, Failure> {
    texts.iter().map(|text| read(delivery, field, text)).collect()
}

fn version(delivery: &Delivery) -> Result<i64, Failure> {
    i64::try_from(delivery.version)
        .map_err(|_| Failure::Park(format!("{}: the version is too large", delivery.name)))
}

fn unexpected(delivery: &Delivery) -> Failure {
    Failure::Park(format!("{} is none of this consumer's events", delivery.name))
}

fn missing(delivery: &Delivery, what: &str) -> Failure {
    Failure::Park(format!("{} carries no {what}", delivery.name))
}
