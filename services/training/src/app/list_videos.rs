use auth::Caller;
use service::Scope;
use types::SiteId;

use super::{App, Error};
use crate::domain::Video;
use crate::store;

impl App {
    /// A site's videos, the newest first.
    #[tracing::instrument(name = "training.list_videos", skip_all, fields(site.id = %site))]
    pub async fn list_videos(&self, caller: &Caller, site: SiteId) -> Result<Vec<Video>, Error> {
        if !caller.may_touch(site) {
            return Err(Error::NotFound);
        }
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        Ok(store::videos::of_site(&mut tx, site).await?)
    }
}
