use std::fmt;

use serde::{Deserialize, Serialize};
use types::{AccountId, ContractorId, DeviceId, Permission, Role, SiteId, WorkerId};

use crate::{Sites, Subject};

/// Who is calling, and what they may touch. The gateway makes it from the request it authenticated; everything behind
/// the gateway believes only a signed one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    #[serde(rename = "sub")]
    pub subject: Subject,
    /// Only accounts have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    pub sites: Sites,
    /// The contractor a contractor's administrator is confined to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contractor: Option<ContractorId>,
    /// The `x-request-id` of the request at the edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_request: Option<String>,
    /// The network address of the client at the edge; personal, so never printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The verified token this caller came with, to be passed on when a service acts for them. Neither printed nor signed.
    #[serde(skip)]
    pub token: Option<String>,
}

/// The caller's role does not hold the permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("permission {} is missing", permission.as_str())]
pub struct Denied {
    pub permission: Permission,
}

impl Caller {
    /// A service acting as itself. It may touch every site and holds no permission: what services may call is said by
    /// the policy of the method, not by a role.
    pub fn service(name: impl Into<String>) -> Self {
        Self::new(Subject::Service(name.into()), Sites::All)
    }

    pub fn worker(worker: WorkerId, sites: Vec<SiteId>) -> Self {
        Self::new(Subject::Worker(worker), Sites::Some(sites))
    }

    /// An administrator; `contractor` confines a contractor's administrator.
    pub fn account(
        account: AccountId,
        role: Role,
        sites: Vec<SiteId>,
        contractor: Option<ContractorId>,
    ) -> Self {
        Self {
            role: Some(role),
            contractor,
            ..Self::new(Subject::Account(account), Sites::Some(sites))
        }
    }

    pub fn device(device: DeviceId, site: SiteId) -> Self {
        Self::new(Subject::Device(device), Sites::Some(vec![site]))
    }

    /// Nobody yet, on no site.
    pub fn anonymous() -> Self {
        Self::new(Subject::Anonymous, Sites::Some(Vec::new()))
    }

    fn new(subject: Subject, sites: Sites) -> Self {
        Self {
            subject,
            role: None,
            sites,
            contractor: None,
            on_behalf_request: None,
            address: None,
            token: None,
        }
    }

    /// Whether the caller's role holds `permission`. Without a role nothing is held, a service included.
    pub fn may(&self, permission: Permission) -> bool {
        self.role.is_some_and(|role| role.permissions().contains(&permission))
    }

    /// [`Caller::may`] as a `Result`, for `?`.
    pub fn require(&self, permission: Permission) -> Result<(), Denied> {
        if self.may(permission) { Ok(()) } else { Err(Denied { permission }) }
    }

    /// Whether `site` is one of the caller's. Answer "not found" where it is not, never "denied".
    pub fn may_touch(&self, site: SiteId) -> bool {
        self.sites.contains(site)
    }

    pub fn worker_id(&self) -> Option<WorkerId> {
        if let Subject::Worker(worker) = self.subject { Some(worker) } else { None }
    }

    pub fn account_id(&self) -> Option<AccountId> {
        if let Subject::Account(account) = self.subject { Some(account) } else { None }
    }

    pub fn device_id(&self) -> Option<&DeviceId> {
        if let Subject::Device(device) = &self.subject { Some(device) } else { None }
    }

    /// The name of the service, if it is one acting as itself.
    pub fn service_name(&self) -> Option<&str> {
        if let Subject::Service(name) = &self.subject { Some(name) } else { None }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("subject", &self.subject)
            .field("role", &self.role)
            .field("sites", &self.sites)
            .field("contractor", &self.contractor)
            .field("on_behalf_request", &self.on_behalf_request)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contractors_administrator(site: SiteId) -> Caller {
        Caller::account(
            AccountId::new(),
            Role::ContractorAdmin,
            vec![site],
            Some(ContractorId::new()),
        )
    }

    #[test]
    fn a_role_gives_its_permissions_and_no_other() {
        let caller = contractors_administrator(SiteId::new());
        assert_eq!(caller.require(Permission::TicketAmend), Ok(()));
        let denied = caller.require(Permission::GrantRelease).unwrap_err();
        assert_eq!(denied.to_string(), "permission grant.release is missing");
    }

    #[test]
    fn without_a_role_nothing_is_permitted() {
        for caller in [
            Caller::service("ticket"),
            Caller::worker(WorkerId::new(), vec![]),
            Caller::anonymous(),
        ] {
            assert!(Permission::ALL.iter().all(|permission| !caller.may(*permission)));
        }
    }

    #[test]
    fn a_caller_touches_its_own_sites_and_a_service_all() {
        let (mine, other) = (SiteId::new(), SiteId::new());
        assert!(contractors_administrator(mine).may_touch(mine));
        assert!(!contractors_administrator(mine).may_touch(other));
        assert!(!Caller::anonymous().may_touch(mine));
        assert!(Caller::service("report").may_touch(other));
    }

    #[test]
    fn neither_the_token_nor_the_address_is_printed_or_serialised_by_accident() {
        let caller = Caller {
            token: Some("header.claims.signature".to_owned()),
            address: Some("192.0.2.7".to_owned()),
            ..Caller::anonymous()
        };
        let printed = format!("{caller:?}");
        assert!(!printed.contains("header.claims") && !printed.contains("192.0.2.7"), "{printed}");
        let written = serde_json::to_string(&caller).unwrap();
        assert!(!written.contains("header.claims"), "{written}");
        let read: Caller = serde_json::from_str(&written).unwrap();
        assert_eq!(read, Caller { token: None, ..caller });
    }
}
