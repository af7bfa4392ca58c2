//! What other services' facts change here.

mod keep_days;
mod keep_sites;

pub use keep_days::KeepDays;
pub use keep_sites::KeepSites;
