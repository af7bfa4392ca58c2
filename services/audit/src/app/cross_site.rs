use std::collections::BTreeMap;

use auth::{Caller, Sites};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use events::AuditFact;
use service::Scope;
use types::SiteId;

use super::{App, Error, none};
use crate::store::{crossings, entries};

impl App {
    /// Records that an account which reaches every site looks at one, or at each it has where none is named: one entry
    /// a site for each hour of the system's time, however often it is called.
    #[tracing::instrument(name = "audit.cross_site", skip_all)]
    pub(crate) async fn cross_site(
        &self,
        caller: &Caller,
        site: Option<SiteId>,
    ) -> Result<(), Error> {
        let account = caller.account_id().ok_or(Error::NotFound)?;
        let sites = match (site, &caller.sites) {
            (Some(site), _) => vec![site],
            (None, Sites::Some(sites)) => sites.clone(),
            (None, Sites::All) => return Err(Error::NotFound),
        };
        let scope = sites.iter().copied().chain([none()]).collect();
        let mut tx = self.store.begin(Scope::Sites(scope)).await?;
        let mut chains = BTreeMap::new();
        for site in sites {
            // A site made after the caller's token has a chain soon. What is no site begins none: of it, it is told where
            // what belongs to no site is.
            let chained =
                caller.may_touch(site) || entries::head(&mut tx, site).await?.position > 0;
            chains.insert(if chained { site } else { none() }, site);
        }
        let hour = hour(self.system.now());
        let looked: Vec<SiteId> = chains.keys().copied().collect();
        for chain in crossings::enter(&mut tx, &looked, account, hour).await? {
            let site = chains.get(&chain).copied().unwrap_or(chain);
            let fact = AuditFact {
                context: "audit",
                caller,
                action: "site.cross",
                target_type: "site",
                target_id: site.to_string(),
                site: (chain != none()).then_some(chain),
                before: None,
                after: None,
                reason: None,
                at: self.clock.now(),
            };
            events::audit(&mut tx, fact).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Its beginning.
fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}
