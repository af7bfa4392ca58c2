//! Identifiers. Ours are UUIDs of version 7; the door vendor's are short strings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Text that is not the identifier it was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    #[error("not a UUID")]
    NotUuid,
    #[error("not 1 to 64 visible ASCII characters")]
    NotVendorText,
}

#[expect(clippy::disallowed_methods, reason = "the one place where identifiers are drawn")]
fn draw() -> Uuid {
    Uuid::now_v7()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID as this identifier; whether such a thing exists is not known here.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Draws a fresh identifier (version 7, by the system's clock); no two calls give the same.
            #[expect(clippy::new_without_default, reason = "a default that differs each time would surprise")]
            pub fn new() -> Self {
                Self(draw())
            }

            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_hyphenated(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

ids! {
    /// A site: the tenant.
    SiteId,
    /// A firm working on sites.
    ContractorId,
    /// A fenced space of a site.
    AreaId,
    /// A person known from the real-name system.
    WorkerId,
    /// A person who signs in to the administration.
    AccountId,
    /// A work ticket: a job over one or more dates.
    TicketId,
    /// One date of a work ticket.
    DailyTicketId,
    /// A training video.
    VideoId,
    /// One watching of one video.
    SessionId,
    /// The verdict of a watching.
    RecordId,
    /// A random check during a watching.
    CheckId,
    /// One worker, one area, one daily ticket, one window.
    GrantId,
    /// A message to one worker.
    NotificationId,
    /// One reported event at a door.
    PassageId,
    /// A fact told to other services.
    EventId,
    /// A worker's tie to a messenger account.
    BindingId,
}

/// Only the hyphenated form, so that one identifier has one spelling in logs and links.
fn parse_hyphenated(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() != 36 {
        return Err(InvalidId::NotUuid);
    }
    Uuid::try_parse(text).map_err(|_| InvalidId::NotUuid)
}

macro_rules! vendor_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the vendor's spelling as it is: 1 to 64 visible ASCII characters, no spaces.
            ///
            /// # Errors
            /// [`InvalidId::NotVendorText`] for anything else.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check_vendor(text)?;
                Ok(Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                check_vendor(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

vendor_ids! {
    /// A door controller, as its vendor names it.
    DeviceId,
    /// A face as the door system names it; says nothing about the person by itself.
    FaceId,
    /// The door system's name for the doors of an area.
    AccessGroupId,
}

fn check_vendor(text: &str) -> Result<(), InvalidId> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(()) } else { Err(InvalidId::NotVendorText) }
}

#[cfg(test)]
mod tests {
    use super::{AccessGroupId, DeviceId, EventId, FaceId, InvalidId, WorkerId};
    use uuid::Uuid;

    const TEXT: &str = "019576a0-1234-7abc-8def-0123456789ab";

    #[test]
    fn an_identifier_reads_back_as_it_was_written() {
        let id: WorkerId = TEXT.parse().unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<WorkerId>(&format!("\"{TEXT}\"")).unwrap(), id);
        assert_eq!(WorkerId::from(Uuid::from(id)), WorkerId::from_uuid(id.as_uuid()));
    }

    #[test]
    fn an_identifier_has_one_spelling() {
        for text in [
            "",
            "worker",
            "019576a012347abc8def0123456789ab",
            "{019576a0-1234-7abc-8def-0123456789ab}",
        ] {
            assert_eq!(text.parse::<WorkerId>(), Err(InvalidId::NotUuid), "{text}");
        }
    }

    #[test]
    fn drawn_identifiers_are_of_version_7_and_grow() {
        let (first, second) = (EventId::new(), EventId::new());
        assert_eq!(first.as_uuid().get_version_num(), 7);
        assert!(first < second);
    }

    #[test]
    fn a_vendor_s_identifier_is_kept_as_it_is() {
        let id = FaceId::parse("Face-0007/a").unwrap();
        assert_eq!((id.as_str(), id.to_string().as_str()), ("Face-0007/a", "Face-0007/a"));
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"Face-0007/a\"");
        assert_eq!(serde_json::from_str::<FaceId>("\"Face-0007/a\"").unwrap(), id);
    }

    #[test]
    fn a_vendor_s_identifier_has_1_to_64_visible_characters() {
        for text in ["", "a b", "a\n", "门", "a\u{7f}", &"a".repeat(65)] {
            assert_eq!(DeviceId::parse(text), Err(InvalidId::NotVendorText), "{text:?}");
            assert!(serde_json::from_value::<AccessGroupId>(text.into()).is_err(), "{text:?}");
        }
        assert!(DeviceId::parse(&"a".repeat(64)).is_ok());
    }
}
