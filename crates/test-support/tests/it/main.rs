//! What every database of ours holds: tenants apart, services apart, scopes that end with their transaction.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod catalogue;
mod checker;
mod proxy;
mod silence;
mod store;
