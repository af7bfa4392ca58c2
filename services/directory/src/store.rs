//! Rows to domain and back. Every call takes the transaction it belongs to, and sees what its scope lets it see.

pub(crate) mod accounts;
pub(crate) mod areas;
pub(crate) mod attempts;
pub(crate) mod bindings;
pub(crate) mod contractors;
pub(crate) mod details;
pub(crate) mod matches;
pub(crate) mod people;
pub(crate) mod readings;
pub(crate) mod refresh;
pub(crate) mod registrations;
pub(crate) mod rosters;
pub(crate) mod sealed;
pub(crate) mod sites;
pub(crate) mod sms_codes;
pub(crate) mod wechat_users;
pub(crate) mod workers;

use sqlx::postgres::PgQueryResult;
use uuid::Uuid;

use service::{Scope, Store, StoreError};

/// How many rows of which table are sealed under which version of the vault's key.
pub async fn sealed_under(store: &Store) -> Result<Vec<(String, u8, u64)>, StoreError> {
    let mut tx = store.begin(Scope::System("count what each key has sealed")).await?;
    let row = |(table, version, count): (String, i32, i64)| {
        let corrupt = || StoreError::corrupt("workers", "sealed");
        let version = u8::try_from(version).map_err(|_| corrupt())?;
        Ok((table, version, u64::try_from(count).map_err(|_| corrupt())?))
    };
    sealed::versions(&mut tx).await?.into_iter().map(row).collect()
}

fn uuids<T: Copy + Into<Uuid>>(ids: &[T]) -> Vec<Uuid> {
    ids.iter().map(|id| (*id).into()).collect()
}

fn ids<T: From<Uuid>>(uuids: Vec<Uuid>) -> Vec<T> {
    uuids.into_iter().map(T::from).collect()
}

/// Versions count from 1 and are kept as `bigint`.
fn version(kept: i64) -> u64 {
    u64::try_from(kept).unwrap_or_default()
}

fn kept(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// How many, as a column keeps it.
fn count(people: u32) -> i32 {
    i32::try_from(people).unwrap_or(i32::MAX)
}

/// Every row that was meant was still as it had been read.
fn guarded(result: &PgQueryResult, expected: usize) -> Result<(), StoreError> {
    let written = usize::try_from(result.rows_affected()).unwrap_or_default();
    if written == expected { Ok(()) } else { Err(StoreError::Conflict) }
}
