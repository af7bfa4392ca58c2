//! What every database of ours holds: tenants apart, services apart, scopes that end with their transaction.

mod catalogue;
mod store;
