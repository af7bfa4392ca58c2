use auth::Caller;
use chrono::{DateTime, TimeDelta, Utc};
use types::VideoId;

use super::{App, Error, scope};
use crate::store;

/// How long an address given to a viewer is good.
const GOOD_FOR: TimeDelta = TimeDelta::minutes(15);

impl App {
    /// A signed address of a video of the caller's sites, and when it ends (system time).
    #[tracing::instrument(name = "training.get_play_url", skip_all, fields(video.id = %video))]
    pub async fn get_play_url(
        &self,
        caller: &Caller,
        video: VideoId,
    ) -> Result<(String, DateTime<Utc>), Error> {
        let mut tx = self.store.begin(scope(caller)).await?;
        let video = store::videos::get(&mut tx, video).await?.ok_or(Error::NotFound)?;
        Ok(self.play_url(video.id, GOOD_FOR))
    }
}
