//! What others tell, kept for those who look at a ticket. Each fact writes one row, guarded by its version.

mod follow_access;
mod follow_notices;
mod follow_training;
mod follow_videos;
mod follow_workers;

use events::{Delivery, Failure};

use crate::store::progress::WorkerDay;

pub use follow_access::FollowAccess;
pub use follow_notices::FollowNotices;
pub use follow_training::FollowTraining;
pub use follow_videos::FollowVideos;
pub use follow_workers::FollowWorkers;

fn worker_day(
    delivery: &Delivery,
    site: &str,
    day: &str,
    worker: &str,
) -> Result<WorkerDay, Failure> {
    Ok(WorkerDay {
        site: delivery.parse("site_id", site)?,
        day: delivery.parse("daily_ticket_id", day)?,
        worker: delivery.parse("worker_id", worker)?,
    })
}
