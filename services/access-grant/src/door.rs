//! Ways to a door. A door is told what to hold, told to forget it, and read: what it answers to the first two proves
//! nothing.

mod vendor;

use std::fmt;

use chrono::{DateTime, FixedOffset, Utc};
use events::async_trait;
use types::{AccessGroupId, GrantId, InstantWindow, SiteZone};

pub use vendor::VendorDoor;

/// A door system that we call.
#[async_trait]
pub trait Door: fmt::Debug + Send + Sync + 'static {
    /// Makes the doors of a group hold a grant. The same grant again replaces what is held of it.
    async fn push(&self, order: &Order<'_>) -> Result<(), Fault>;

    /// Makes the doors of a group forget a grant. Forgetting what is not held succeeds.
    async fn remove(&self, group: &AccessGroupId, grant_id: &str) -> Result<(), Fault>;

    /// One page of what the doors of a group hold; `cursor` is the one before's.
    async fn read(&self, group: &AccessGroupId, cursor: Option<&str>) -> Result<Page, Fault>;
}

/// What a door is to hold, with the person in clear for the moment of sending.
pub struct Order<'a> {
    pub grant: GrantId,
    pub group: &'a AccessGroupId,
    pub face_id: &'a str,
    pub person: &'a Person,
    pub window: InstantWindow,
    pub zone: SiteZone,
}

/// What a door system wants to know of a person. Never printed, never stored.
pub struct Person {
    pub id_no: String,
    pub name: String,
}

/// What a door holds of one grant. The id is the door's word: it need not be one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub grant_id: String,
    pub face_id: String,
    pub window: InstantWindow,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub next_cursor: Option<String>,
}

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody answered, or nobody who could: no use trying the next grant now. Holds a code.
    #[error("the door cannot be reached: {0}")]
    Away(String),
    /// This call was refused. Holds a code, never what was answered.
    #[error("the door refused: {0}")]
    Refused(String),
}

impl Fault {
    pub fn code(&self) -> &str {
        match self {
            Self::Away(code) | Self::Refused(code) => code,
        }
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}

impl fmt::Debug for Order<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("grant", &self.grant)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// An instant as the site's own clock shows it.
fn local(at: DateTime<Utc>, zone: SiteZone) -> DateTime<FixedOffset> {
    let shown = zone.date_at(at).and_time(zone.time_at(at));
    let ahead = (shown - at.naive_utc()).num_seconds();
    let offset = i32::try_from(ahead).ok().and_then(FixedOffset::east_opt);
    at.with_timezone(&offset.unwrap_or_else(|| chrono::Offset::fix(&Utc)))
}

#[cfg(test)]
mod tests {
    use types::SiteZone;

    use super::local;

    #[test]
    fn a_door_is_told_site_time_with_its_offset() {
        let at = "2026-01-09T22:00:00Z".parse().unwrap();
        assert_eq!(local(at, SiteZone::default()).to_rfc3339(), "2026-01-10T06:00:00+08:00");
        let summer = "2026-07-01T05:00:00Z".parse().unwrap();
        let berlin = SiteZone::parse("Europe/Berlin").unwrap();
        assert_eq!(local(summer, berlin).to_rfc3339(), "2026-07-01T07:00:00+02:00");
    }
}
