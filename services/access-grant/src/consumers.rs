//! What others' facts do here. Each keeps the fact for its history and then closes the difference; facts may come
//! late, in any order, again, and before what they are about.

mod follow_devices;
mod follow_directory;
mod follow_tickets;
mod follow_training;

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use events::Failure;
use prost_types::Timestamp;

pub use follow_devices::FollowDevices;
pub use follow_directory::FollowDirectory;
pub use follow_tickets::FollowTickets;
pub use follow_training::FollowTraining;

fn parse<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|err: T::Err| Failure::Park(format!("{field} cannot be read: {err}")))
}

fn parse_all<T: FromStr<Err: Display>>(field: &str, texts: &[String]) -> Result<Vec<T>, Failure> {
    texts.iter().map(|text| parse(field, text)).collect()
}

/// An optional vendor's string or id: empty is absent.
fn parse_some<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<Option<T>, Failure> {
    if text.is_empty() { Ok(None) } else { parse(field, text).map(Some) }
}

fn instant(field: &str, at: Option<&Timestamp>) -> Result<DateTime<Utc>, Failure> {
    proto::instant(at).ok_or_else(|| Failure::Park(format!("{field} is missing")))
}

fn missing(what: &str) -> Failure {
    Failure::Park(format!("{what} is missing"))
}
