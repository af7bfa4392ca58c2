use types::{AccessGroupId, AreaId, ContractorId, SiteId, SiteZone};

use super::Settings;

/// The tenant: everything that happens on it keeps its calendar and its defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    pub id: SiteId,
    pub name: String,
    pub zone: SiteZone,
    pub settings: Settings,
    pub version: u64,
}

/// A firm and the sites it works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contractor {
    pub id: ContractorId,
    pub name: String,
    pub sites: Vec<SiteId>,
    pub version: u64,
}

/// A fenced space of a site and the doors that lead into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Area {
    pub id: AreaId,
    pub site: SiteId,
    pub name: String,
    pub access_group: AccessGroupId,
    pub status: AreaStatus,
    /// What the door system calls the group; may be empty.
    pub access_group_name: String,
    pub description: String,
    pub version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AreaStatus {
    Active,
    Inactive,
}

impl AreaStatus {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

impl std::str::FromStr for AreaStatus {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Active, Self::Inactive];
        known
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or("is neither ACTIVE nor INACTIVE")
    }
}
