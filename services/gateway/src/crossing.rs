//! An account that reaches every site and looks at one: recorded before it is answered, once an hour. Commands need
//! none of this, for each leaves its own record.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use auth::{Caller, Sites};
use proto::audit::v1::CrossSiteRequest;
use proto::audit::v1::audit_service_client::AuditServiceClient;
use service::Refusal;
use types::{AccountId, Permission, SiteId};
use url::form_urlencoded;
use uuid::Uuid;

use crate::call::{Call, Gateway};
use crate::failure::Failure;

const HOUR: i64 = 3600;

/// Lists that show every site the caller has where the question names none.
const EVERYWHERE: [&str; 6] = [
    "/api/admin/work-tickets",
    "/api/admin/access-grants",
    "/api/admin/notifications",
    "/api/admin/passages",
    "/api/admin/devices",
    "/api/admin/areas",
];

/// What a question shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looked {
    At(SiteId),
    /// At each site the caller has.
    Everywhere,
}

/// What this process has had recorded in the hour at hand; forgetting it only asks again.
#[derive(Debug, Default)]
pub(crate) struct Crossings {
    recorded: Mutex<(i64, HashSet<(AccountId, SiteId)>)>,
}

impl Crossings {
    fn knows(&self, hour: i64, account: AccountId, sites: &[SiteId]) -> bool {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |site: &SiteId| recorded.0 == hour && recorded.1.contains(&(account, *site));
        sites.iter().all(known)
    }

    fn remember(&self, hour: i64, account: AccountId, sites: &[SiteId]) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded.0 != hour {
            *recorded = (hour, HashSet::new());
        }
        recorded.1.extend(sites.iter().map(|site| (account, *site)));
    }
}

/// Has it recorded that the caller looks at a site, or at all of theirs. Nothing is answered that could not be recorded.
pub(crate) async fn record(
    gateway: &Gateway,
    caller: &Caller,
    looked: Looked,
) -> Result<(), Refusal> {
    let Some(account) = caller.account_id().filter(|_| caller.may(Permission::SiteManage)) else {
        return Ok(());
    };
    let (site_id, sites) = match (looked, &caller.sites) {
        (Looked::At(site), _) => (site.to_string(), vec![site]),
        (Looked::Everywhere, Sites::Some(sites)) => (String::new(), sites.clone()),
        // Of a service, which has no account.
        (Looked::Everywhere, Sites::All) => return Ok(()),
    };
    let hour = gateway.shell.system.now().timestamp().div_euclid(HOUR);
    if gateway.crossings.knows(hour, account, &sites) {
        return Ok(());
    }
    let mut audit = AuditServiceClient::new(gateway.shell.peers.transport("audit"));
    let asked = gateway.shell.signed("gateway", caller, CrossSiteRequest { site_id });
    audit.cross_site(asked).await.map_err(|status| Refusal::from_status(&status))?;
    // Where a site is told that the token does not name may change once it has begun: it is asked again.
    let sites: Vec<SiteId> = sites.into_iter().filter(|site| caller.may_touch(*site)).collect();
    gateway.crossings.remember(hour, account, &sites);
    Ok(())
}

/// What a question looks at by its path and query; `None` where only a body or the answer tells.
pub(crate) fn looked(path: &str, query: Option<&str>) -> Option<Looked> {
    let everywhere = EVERYWHERE.contains(&path).then_some(Looked::Everywhere);
    named(query).map(Looked::At).or(everywhere)
}

/// The site that a query names, read as [`crate::request::Query`] reads it: the first that is not empty.
fn named(query: Option<&str>) -> Option<SiteId> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    let (_, site) = pairs.find(|(name, site)| name == "site_id" && !site.is_empty())?;
    Uuid::try_parse(&site).ok().map(SiteId::from_uuid)
}

impl Call {
    /// For questions whose site is not in the query: in the body, or known only from the answer.
    pub(crate) async fn looks_at(&self, site: &str) -> Result<(), Failure> {
        match site.parse() {
            Ok(site) => Ok(record(&self.gateway, &self.caller, Looked::At(site)).await?),
            Err(_) => Ok(()),
        }
    }

    /// For questions in a body that names no site.
    pub(crate) async fn looks_everywhere(&self) -> Result<(), Failure> {
        Ok(record(&self.gateway, &self.caller, Looked::Everywhere).await?)
    }
}

#[cfg(test)]
mod tests {
    use types::{AccountId, SiteId};

    use super::{Crossings, Looked, looked};

    const LIST: &str = "/api/admin/work-tickets";

    #[test]
    fn what_was_recorded_is_known_for_an_hour() {
        let crossings = Crossings::default();
        let (account, site, other) = (AccountId::new(), SiteId::new(), SiteId::new());
        assert!(!crossings.knows(1, account, &[site]));
        crossings.remember(1, account, &[site]);
        assert!(crossings.knows(1, account, &[site]) && !crossings.knows(2, account, &[site]));
        assert!(!crossings.knows(1, AccountId::new(), &[site]));
        crossings.remember(2, account, &[other]);
        assert!(!crossings.knows(1, account, &[site]) && !crossings.knows(2, account, &[site]));
    }

    #[test]
    fn a_look_at_every_site_is_known_once_each_of_them_is() {
        let crossings = Crossings::default();
        let (account, sites) = (AccountId::new(), [SiteId::new(), SiteId::new()]);
        crossings.remember(1, account, &sites[..1]);
        assert!(!crossings.knows(1, account, &sites));
        crossings.remember(1, account, &sites);
        assert!(crossings.knows(1, account, &sites) && crossings.knows(1, account, &sites[1..]));
    }

    #[test]
    fn a_site_is_found_in_the_query_wherever_it_stands() {
        let site = SiteId::new();
        for query in [
            format!("page=2&site_id={site}"),
            format!("site_id=&site_id={site}"),
            format!("site_id={site}&site_id={}", SiteId::new()),
            format!("site%5Fid={}", site.to_string().to_uppercase()),
        ] {
            assert_eq!(looked(LIST, Some(&query)), Some(Looked::At(site)), "{query}");
        }
        for query in [None, Some(""), Some("site=x"), Some("site_id=x"), Some("site_id=")] {
            assert_eq!(looked(LIST, query), Some(Looked::Everywhere), "{query:?}");
            assert_eq!(looked("/api/admin/sites", query), None, "{query:?}");
        }
    }
}
