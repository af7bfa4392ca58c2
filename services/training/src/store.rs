//! Rows and back. One file per table; what no state explains is corrupt, not a default.

pub mod day_trainings;
pub mod days;
pub mod face_verifications;
pub mod records;
pub mod sessions;
pub mod sites;
pub mod videos;

pub use service::{Scope, Store, StoreError as Error, Tx};

/// A value and the version its row was read at.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    pub value: T,
    pub version: u64,
}

/// Seconds and counts are small; a negative one is no state of ours.
fn count(table: &'static str, id: uuid::Uuid, number: i32) -> Result<u32, Error> {
    u32::try_from(number).map_err(|_| Error::corrupt(table, id))
}

fn version(table: &'static str, id: uuid::Uuid, number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::corrupt(table, id))
}

/// Into a column: numbers of ours are far below the limit, one above it is stored as the limit.
fn column(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn long_column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
