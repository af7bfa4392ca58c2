use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::training::v1::VideoChanged;
use service::Tx;

use crate::store::known;

/// Keeps how long each video takes: whether there is time to watch them.
#[derive(Debug, Clone, Copy)]
pub struct FollowVideos;

#[events::async_trait]
impl Handler for FollowVideos {
    fn durable(&self) -> &'static str {
        "ticket--follow-videos"
    }

    fn context(&self) -> &'static str {
        VideoChanged::CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &[VideoChanged::NAME]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Video"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let fact: VideoChanged = delivery.decode()?;
        let video = delivery.carried("video", fact.video)?;
        let site = delivery.parse("site_id", &video.site_id)?;
        let id = delivery.parse("video_id", &video.video_id)?;
        let version = delivery.row_version()?;
        Ok(known::keep_video(tx, site, id, video.duration_sec, version).await?)
    }
}
