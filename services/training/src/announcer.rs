//! Tells again every video, and who has completed a day that is not over.

use events::{Announce, Announced, Live, Rows, async_trait};
use proto::training::v1::TrainingCompleted;
use service::{StoreError, Tx};
use types::{DailyTicketId, VideoId, WorkerId};

use crate::domain::Completion;
use crate::{store, wire};

#[derive(Debug, Clone, Copy)]
pub struct Announcer;

#[async_trait]
impl Announce for Announcer {
    fn context(&self) -> &'static str {
        "training"
    }

    fn rows(&self, kind: &str) -> Rows {
        match kind {
            "Video" => Rows {
                table: "training.videos",
                key: &[("video_id", "uuid")],
                live: "true",
                since: "created_at",
            },
            _ => Rows {
                table: "training.day_trainings",
                key: &[("daily_ticket_id", "uuid"), ("worker_id", "uuid")],
                live: "completed_at IS NOT NULL
                       AND NOT EXISTS (SELECT FROM training.days d
                                       WHERE d.daily_ticket_id = day_trainings.daily_ticket_id
                                         AND d.status IN ('EXPIRED', 'CANCELLED'))",
                since: "completed_at",
            },
        }
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        kind: &str,
        live: &[Live],
    ) -> Result<Vec<Announced>, StoreError> {
        let mut told = Vec::new();
        for Live { id, since } in live {
            if kind == "Video" {
                let video: VideoId = id.parse().map_err(|_| StoreError::corrupt("videos", id))?;
                let video = store::videos::get(tx, video).await?;
                told.extend(video.map(|video| Announced::of(&wire::video_changed(&video), *since)));
            } else {
                let fact = completed(tx, id).await?;
                told.extend(fact.map(|fact| Announced::of(&fact, *since)));
            }
        }
        Ok(told)
    }
}

async fn completed(tx: &mut Tx, id: &str) -> Result<Option<TrainingCompleted>, StoreError> {
    let corrupt = || StoreError::corrupt("day_trainings", id);
    let (day, worker) = id.split_once('/').ok_or_else(corrupt)?;
    let day: DailyTicketId = day.parse().map_err(|_| corrupt())?;
    let worker: WorkerId = worker.parse().map_err(|_| corrupt())?;
    let Some((site, version)) = store::day_trainings::numbered(tx, day, worker).await? else {
        return Ok(None);
    };
    let completion: Option<Completion> = store::day_trainings::completion(tx, day, worker).await?;
    Ok(completion.map(|completion| wire::day_completed(site, day, worker, completion, version)))
}
