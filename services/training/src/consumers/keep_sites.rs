use events::{Delivery, Failure, Handler, async_trait};
use proto::directory::v1::SiteChanged;

use crate::domain::Pacing;
use crate::store::{self, Tx};

/// Keeps what each site's checks are like.
#[derive(Debug)]
pub struct KeepSites;

#[async_trait]
impl Handler for KeepSites {
    fn durable(&self) -> &'static str {
        "training--keep-sites"
    }

    fn context(&self) -> &'static str {
        "directory"
    }

    fn events(&self) -> &'static [&'static str] {
        &["SiteChanged"]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Site"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let event: SiteChanged = delivery.decode()?;
        let unreadable = || Failure::Park("SiteChanged without a readable site".to_owned());
        let site = event.site.ok_or_else(unreadable)?;
        let id = site.site_id.parse().map_err(|_| unreadable())?;
        let settings = site.settings.unwrap_or_default();
        let pacing = Pacing::new(
            settings.check_min_seconds,
            settings.check_max_seconds,
            settings.check_answer_seconds,
        );
        store::sites::keep(tx, id, site.version, pacing).await?;
        Ok(())
    }
}
