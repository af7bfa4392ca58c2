use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::training::v1::{
    TrainingCompleted, TrainingFailed, TrainingReopened, TrainingStarted, VideoCompleted,
};
use service::Tx;

use super::worker_day;
use crate::domain::TrainingStatus;
use crate::store::{known, progress};

/// Keeps how far each worker's training of a day is, and which videos are watched.
#[derive(Debug, Clone, Copy)]
pub struct FollowTraining;

#[events::async_trait]
impl Handler for FollowTraining {
    fn durable(&self) -> &'static str {
        "ticket--follow-training"
    }

    fn context(&self) -> &'static str {
        "training"
    }

    fn events(&self) -> &'static [&'static str] {
        &[
            TrainingStarted::NAME,
            TrainingFailed::NAME,
            TrainingCompleted::NAME,
            TrainingReopened::NAME,
            VideoCompleted::NAME,
        ]
    }

    fn states(&self) -> &'static [&'static str] {
        &["TrainingDay"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let (of, status) = match delivery.name.as_str() {
            TrainingStarted::NAME => {
                let fact: TrainingStarted = delivery.decode()?;
                let of =
                    worker_day(delivery, &fact.site_id, &fact.daily_ticket_id, &fact.worker_id)?;
                (of, TrainingStatus::InLearning)
            }
            TrainingFailed::NAME => {
                let fact: TrainingFailed = delivery.decode()?;
                let of =
                    worker_day(delivery, &fact.site_id, &fact.daily_ticket_id, &fact.worker_id)?;
                (of, TrainingStatus::Failed)
            }
            TrainingCompleted::NAME => {
                let fact: TrainingCompleted = delivery.decode()?;
                let of =
                    worker_day(delivery, &fact.site_id, &fact.daily_ticket_id, &fact.worker_id)?;
                let at = proto::instant(fact.completed_at.as_ref());
                let at = delivery.carried("completed_at", at)?;
                let version = delivery.row_version()?;
                known::keep_completion(tx, of, at, fact.in_time, version).await?;
                (of, TrainingStatus::Completed)
            }
            TrainingReopened::NAME => {
                let fact: TrainingReopened = delivery.decode()?;
                let of =
                    worker_day(delivery, &fact.site_id, &fact.daily_ticket_id, &fact.worker_id)?;
                let at = proto::instant(fact.reopened_at.as_ref());
                let at = delivery.carried("reopened_at", at)?;
                return Ok(known::reopen(tx, of, at, delivery.row_version()?).await?);
            }
            VideoCompleted::NAME => {
                let fact: VideoCompleted = delivery.decode()?;
                let of =
                    worker_day(delivery, &fact.site_id, &fact.daily_ticket_id, &fact.worker_id)?;
                let video = delivery.parse("video_id", &fact.video_id)?;
                let at = proto::instant(fact.completed_at.as_ref());
                let at = delivery.carried("completed_at", at)?;
                return Ok(progress::keep_video(tx, of, video, at).await?);
            }
            _ => return Err(delivery.unexpected()),
        };
        Ok(progress::keep_training(tx, of, status, delivery.row_version()?).await?)
    }
}
