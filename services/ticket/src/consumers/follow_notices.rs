use chrono::{DateTime, Utc};
use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::notification::v1::{NotificationSent, TaskRead};
use service::Tx;

use super::worker_day;
use crate::store::progress::{self, WorkerDay};

/// Keeps whose notice reached the provider and who opened the task. Neither is ever taken back.
#[derive(Debug, Clone, Copy)]
pub struct FollowNotices;

#[events::async_trait]
impl Handler for FollowNotices {
    fn durable(&self) -> &'static str {
        "ticket--follow-notices"
    }

    fn context(&self) -> &'static str {
        "notification"
    }

    fn events(&self) -> &'static [&'static str] {
        &[NotificationSent::NAME, TaskRead::NAME]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        self.handle_all(tx, std::slice::from_ref(delivery)).await
    }

    async fn handle_all(&self, tx: &mut Tx, deliveries: &[Delivery]) -> Result<(), Failure> {
        let mut changes = deliveries.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        // In the order of those who keep the training of the same days, so that neither waits for the other in a circle.
        changes.sort_by_key(|(of, _)| (of.day, of.worker));
        for (of, change) in changes {
            match change {
                Change::Notified { at } => progress::keep_notified(tx, of, at).await?,
                Change::Read { at } => progress::keep_read(tx, of, at).await?,
            }
        }
        Ok(())
    }
}

enum Change {
    Notified { at: DateTime<Utc> },
    Read { at: DateTime<Utc> },
}

fn read(delivery: &Delivery) -> Result<(WorkerDay, Change), Failure> {
    let at = delivery.at;
    match delivery.name.as_str() {
        NotificationSent::NAME => {
            let fact: NotificationSent = delivery.decode()?;
            let notice = delivery.carried("notification", fact.notification)?;
            let (day, worker) = (&notice.daily_ticket_id, &notice.worker_id);
            Ok((worker_day(delivery, &notice.site_id, day, worker)?, Change::Notified { at }))
        }
        TaskRead::NAME => {
            let fact: TaskRead = delivery.decode()?;
            let of = worker_day(delivery, &fact.site_id, &fact.daily_ticket_id, &fact.worker_id)?;
            Ok((of, Change::Read { at }))
        }
        _ => Err(delivery.unexpected()),
    }
}
