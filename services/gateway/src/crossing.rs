//! An account that reaches every site and looks at one: recorded before it is answered, once an hour. Commands need
//! none of this, for each leaves its own record.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use auth::Caller;
use proto::audit::v1::CrossSiteRequest;
use proto::audit::v1::audit_service_client::AuditServiceClient;
use service::Refusal;
use types::{AccountId, ErrorCode, Permission, SiteId};
use url::form_urlencoded;

use crate::call::{Call, Gateway};
use crate::failure::Failure;

const HOUR: i64 = 3600;

/// What this process has had recorded in the hour at hand; forgetting it only asks again.
#[derive(Debug, Default)]
pub(crate) struct Crossings {
    recorded: Mutex<(i64, HashSet<(AccountId, SiteId)>)>,
}

impl Crossings {
    fn knows(&self, hour: i64, key: (AccountId, SiteId)) -> bool {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.0 == hour && recorded.1.contains(&key)
    }

    fn remember(&self, hour: i64, key: (AccountId, SiteId)) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded.0 != hour {
            *recorded = (hour, HashSet::new());
        }
        recorded.1.insert(key);
    }
}

/// Has it recorded that the caller looks at the site. Nothing is answered that could not be recorded; of a site that
/// is not theirs the service that is asked says so.
pub(crate) async fn record(
    gateway: &Gateway,
    caller: &Caller,
    site: SiteId,
) -> Result<(), Refusal> {
    let Some(account) = caller.account_id().filter(|_| caller.may(Permission::SiteManage)) else {
        return Ok(());
    };
    let (key, hour) = ((account, site), gateway.shell.system.now().timestamp().div_euclid(HOUR));
    if gateway.crossings.knows(hour, key) {
        return Ok(());
    }
    let mut audit = AuditServiceClient::new(gateway.shell.peers.transport("audit"));
    let asked = CrossSiteRequest { site_id: site.to_string() };
    match audit.cross_site(gateway.shell.signed("gateway", caller, asked)).await {
        Ok(_) => {
            gateway.crossings.remember(hour, key);
            Ok(())
        }
        Err(status) => {
            let refusal = Refusal::from_status(&status);
            if refusal.code == ErrorCode::NotFound { Ok(()) } else { Err(refusal) }
        }
    }
}

/// The site that a question names in its query.
pub(crate) fn named(query: Option<&str>) -> Option<SiteId> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    pairs.find(|(name, _)| name == "site_id").and_then(|(_, site)| site.parse().ok())
}

impl Call {
    /// For questions whose site is not in the query: in the body, or known only from the answer.
    pub(crate) async fn looks_at(&self, site: &str) -> Result<(), Failure> {
        match site.parse() {
            Ok(site) => Ok(record(&self.gateway, &self.caller, site).await?),
            Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use types::{AccountId, SiteId};

    use super::{Crossings, named};

    #[test]
    fn what_was_recorded_is_known_for_an_hour() {
        let crossings = Crossings::default();
        let key = (AccountId::new(), SiteId::new());
        assert!(!crossings.knows(1, key));
        crossings.remember(1, key);
        assert!(crossings.knows(1, key) && !crossings.knows(2, key));
        crossings.remember(2, (key.0, SiteId::new()));
        assert!(!crossings.knows(1, key) && !crossings.knows(2, key));
    }

    #[test]
    fn a_site_is_found_in_the_query_wherever_it_stands() {
        let site = SiteId::new();
        assert_eq!(named(Some(&format!("page=2&site_id={site}"))), Some(site));
        for query in [None, Some(""), Some("site=x"), Some("site_id=x")] {
            assert_eq!(named(query), None);
        }
    }
}
