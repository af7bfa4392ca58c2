use std::collections::BTreeSet;

use auth::Caller;
use service::Scope;
use types::{SiteId, VideoId};

use super::{App, Error};
use crate::domain::{Status, Video};
use crate::store;

impl App {
    /// Which of these videos are real, live and of this site, and which are not.
    #[tracing::instrument(name = "training.check_videos", skip_all, fields(site.id = %site))]
    pub async fn check_videos(
        &self,
        caller: &Caller,
        site: SiteId,
        asked: &[VideoId],
    ) -> Result<(Vec<Video>, Vec<VideoId>), Error> {
        if !caller.may_touch(site) {
            return Err(Error::NotFound);
        }
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        let mut videos = store::videos::named(&mut tx, site, asked).await?;
        videos.retain(|video| video.status == Status::Active);
        let known: BTreeSet<VideoId> = videos.iter().map(|video| video.id).collect();
        let unknown = asked.iter().copied().filter(|video| !known.contains(video)).collect();
        Ok((videos, unknown))
    }
}
