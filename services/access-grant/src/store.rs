//! The tables. Each file is one aggregate's; histories only grow.

pub mod areas;
pub mod decisions;
pub mod devices;
pub mod door_log;
pub mod grants;
pub mod lock;
pub mod picture;
pub mod queue;
pub mod tickets;
pub mod trainings;
pub mod workers;

use service::StoreError;
use sqlx::types::Uuid;

fn uuids<T: Copy + Into<Uuid>>(ids: &[T]) -> Vec<Uuid> {
    ids.iter().map(|id| (*id).into()).collect()
}

fn number(table: &'static str, value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::corrupt(table, value))
}

/// A version as the database keeps it; versions never come near the end.
fn signed(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
