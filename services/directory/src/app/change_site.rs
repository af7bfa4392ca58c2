use auth::Caller;
use proto::directory::v1::{ChangeSiteResponse, SiteChanged};
use types::{SiteId, SiteZone};

use super::{App, Error, as_read, confined, fact, records};
use crate::domain::{Change, Site};
use crate::{store, wire};

#[derive(Debug)]
pub(crate) struct ChangeSite {
    pub site: SiteId,
    /// As it was read.
    pub version: u64,
    pub name: Option<String>,
    pub zone: Option<SiteZone>,
    pub settings: Change,
}

impl App {
    /// What was copied from the settings before, tickets above all, stays as it was copied.
    #[tracing::instrument(name = "site.change", skip_all, fields(site.id = %cmd.site))]
    pub(crate) async fn change_site(
        &self,
        caller: &Caller,
        cmd: ChangeSite,
    ) -> Result<ChangeSiteResponse, Error> {
        let ChangeSite { site, version, name, zone, settings } = cmd;
        let now = self.clock.now();
        let mut tx = self.store.begin(confined(caller, site)?).await?;
        let before = store::sites::get(&mut tx, site).await?.ok_or(Error::NotFound)?;
        as_read(before.version, version)?;
        let after = Site {
            name: name.unwrap_or_else(|| before.name.clone()),
            zone: zone.unwrap_or(before.zone),
            settings: before.settings.changed(settings).map_err(Error::Invalid)?,
            ..before.clone()
        };
        if after == before {
            return Ok(ChangeSiteResponse { site: Some(wire::site(&before)) });
        }
        let after = Site { version: before.version + 1, ..after };
        let saved = store::sites::save(&mut tx, &after).await;
        saved.map_err(|err| Error::taken(err, &store::sites::TAKEN))?;
        if after.settings.realname_project != before.settings.realname_project {
            store::rosters::begin_anew(&mut tx, site).await?;
        }
        let message = wire::site(&after);
        events::enqueue(&mut tx, &SiteChanged { site: Some(message.clone()) }, now).await?;
        let (was, is) = records::compared(records::site(&before), records::site(&after));
        let mut record = fact(caller, "site.change", "site", site.to_string(), now);
        record.site = Some(site);
        (record.before, record.after) = (Some(was), Some(is));
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(ChangeSiteResponse { site: Some(message) })
    }
}
