use serde::{Deserialize, Serialize};
use types::SiteId;

/// The sites a caller may touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sites {
    /// Every site. Only a service acting as itself has this; a token that gives it to anyone else is refused.
    All,
    /// These, and no other; an empty list is none.
    Some(Vec<SiteId>),
}

impl Sites {
    pub fn contains(&self, site: SiteId) -> bool {
        match self {
            Self::All => true,
            Self::Some(sites) => sites.contains(&site),
        }
    }
}
