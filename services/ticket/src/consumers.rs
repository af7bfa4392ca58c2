//! What others tell, kept for those who look at a ticket. Each handler writes one row, guarded by the fact's version.

mod follow_access;
mod follow_bindings;
mod follow_notices;
mod follow_training;

use std::str::FromStr;

use events::{Delivery, Failure};

use crate::store::progress::WorkerDay;

pub use follow_access::FollowAccess;
pub use follow_bindings::FollowBindings;
pub use follow_notices::FollowNotices;
pub use follow_training::FollowTraining;

/// An identifier that is none is for a person to look at.
fn id<T: FromStr>(delivery: &Delivery, field: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::Park(format!("{}: {field} is no identifier", delivery.name)))
}

fn worker_day(
    delivery: &Delivery,
    site: &str,
    day: &str,
    worker: &str,
) -> Result<WorkerDay, Failure> {
    Ok(WorkerDay {
        site: id(delivery, "site_id", site)?,
        day: id(delivery, "daily_ticket_id", day)?,
        worker: id(delivery, "worker_id", worker)?,
    })
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
