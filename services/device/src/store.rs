//! Rows and what they stand for, one file per table.

pub(crate) mod areas;
pub(crate) mod devices;
pub(crate) mod explanations;
pub(crate) mod nonces;
pub(crate) mod passages;
pub(crate) mod secrets;
pub(crate) mod workers;

use service::{Scope, Store, StoreError};
use uuid::Uuid;

/// How many rows of which table are sealed under which version of the vault's key.
pub async fn sealed_under(store: &Store) -> Result<Vec<(String, u8, u64)>, StoreError> {
    let mut tx = store.begin(Scope::System("count what each key has sealed")).await?;
    let versions = secrets::versions(&mut tx).await?;
    let row = |(version, count): (i32, i64)| {
        let corrupt = || StoreError::corrupt("devices", "secret");
        let version = u8::try_from(version).map_err(|_| corrupt())?;
        Ok(("devices".to_owned(), version, u64::try_from(count).map_err(|_| corrupt())?))
    };
    versions.into_iter().map(row).collect()
}

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
