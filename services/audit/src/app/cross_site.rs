use auth::Caller;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use events::AuditFact;
use service::Scope;
use types::SiteId;

use super::{App, Error};
use crate::store::crossings;

impl App {
    /// Records that an account which reaches every site looks at one: one entry for each hour of the system's time,
    /// however often it is called.
    #[tracing::instrument(name = "audit.cross_site", skip_all, fields(site.id = %site))]
    pub(crate) async fn cross_site(&self, caller: &Caller, site: SiteId) -> Result<(), Error> {
        let account = caller.account_id().filter(|_| caller.may_touch(site));
        let account = account.ok_or(Error::NotFound)?;
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        if !crossings::enter(&mut tx, site, account, hour(self.system.now())).await? {
            return Ok(());
        }
        let fact = AuditFact {
            context: "audit",
            caller,
            action: "site.cross",
            target_type: "site",
            target_id: site.to_string(),
            site: Some(site),
            before: None,
            after: None,
            reason: None,
            at: self.clock.now(),
        };
        events::audit(&mut tx, fact).await?;
        Ok(tx.commit().await?)
    }
}

/// Its beginning.
fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}
