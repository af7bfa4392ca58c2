use auth::Caller;
use proto::directory::v1::{CreateSiteResponse, SiteChanged};
use service::Scope;
use service::idempotency::{self, Key};
use types::{SiteId, SiteZone};

use super::{App, Error, fact, records, replayed};
use crate::domain::{Settings, Site};
use crate::{store, wire};

#[derive(Debug)]
pub(crate) struct CreateSite {
    pub name: String,
    pub zone: SiteZone,
    pub settings: Settings,
}

impl App {
    #[tracing::instrument(name = "site.create", skip_all, fields(site.id))]
    pub(crate) async fn create_site(
        &self,
        caller: &Caller,
        key: Option<&Key>,
        cmd: CreateSite,
    ) -> Result<CreateSiteResponse, Error> {
        let CreateSite { name, zone, settings } = cmd;
        let site = Site { id: SiteId::new(), name, zone, settings, version: 1 };
        tracing::Span::current().record("site.id", tracing::field::display(site.id));
        let now = self.clock.now();
        let mut tx = self.store.begin(Scope::Site(site.id)).await?;
        if let Some(answer) = replayed(&mut tx, key, self.system.now()).await? {
            return Ok(answer);
        }
        let inserted = store::sites::insert(&mut tx, &site, now).await;
        inserted.map_err(|err| Error::taken(err, &store::sites::TAKEN))?;
        let message = wire::site(&site);
        events::enqueue(&mut tx, &SiteChanged { site: Some(message.clone()) }, now).await?;
        let mut record = fact(caller, "site.create", "site", site.id.to_string(), now);
        record.site = Some(site.id);
        record.after = Some(records::site(&site));
        events::audit(&mut tx, record).await?;
        let answer = CreateSiteResponse { site: Some(message) };
        idempotency::answer(&mut tx, key, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }
}
