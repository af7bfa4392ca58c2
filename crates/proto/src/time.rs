use chrono::{DateTime, Utc};
use prost_types::Timestamp;

/// An instant as protobuf carries it.
pub fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp {
        seconds: at.timestamp(),
        // Always below 2^31: chrono keeps nanoseconds (and a leap second) under 2·10⁹.
        nanos: i32::try_from(at.timestamp_subsec_nanos()).unwrap_or(999_999_999),
    }
}

/// The instant a message carries; `None` where it is missing or no real instant.
pub fn instant(timestamp: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    let timestamp = timestamp?;
    DateTime::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).ok()?)
}
