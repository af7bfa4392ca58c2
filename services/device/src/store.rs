//! Rows and what they stand for, one file per table.

pub(crate) mod areas;
pub(crate) mod devices;
pub(crate) mod explanations;
pub(crate) mod nonces;
pub(crate) mod passages;
pub(crate) mod workers;

use service::StoreError;
use uuid::Uuid;

/// A count or number as PostgreSQL keeps it.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of ours read back: never negative.
fn unsigned(
    number: i64,
    table: &'static str,
    id: impl std::fmt::Display,
) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::corrupt(table, id))
}

fn uuids<T: Copy + Into<Uuid>>(ids: &[T]) -> Vec<Uuid> {
    ids.iter().map(|id| (*id).into()).collect()
}
