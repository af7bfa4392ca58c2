use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::notification::v1::{NotificationSent, TaskRead};
use service::Tx;

use super::worker_day;
use crate::store::progress;

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
        match delivery.name.as_str() {
            NotificationSent::NAME => {
                let fact: NotificationSent = delivery.decode()?;
                let notice = delivery.carried("notification", fact.notification)?;
                let of = worker_day(
                    delivery,
                    &notice.site_id,
                    &notice.daily_ticket_id,
                    &notice.worker_id,
                )?;
                Ok(progress::keep_notified(tx, of, delivery.at).await?)
            }
            TaskRead::NAME => {
                let fact: TaskRead = delivery.decode()?;
                let of =
                    worker_day(delivery, &fact.site_id, &fact.daily_ticket_id, &fact.worker_id)?;
                Ok(progress::keep_read(tx, of, delivery.at).await?)
            }
            _ => Err(delivery.unexpected()),
        }
    }
}
