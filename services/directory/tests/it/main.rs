//! The directory as others call it: through its contract, on a real database, with the outside firms played.

mod announce;
mod bind_worker;
mod check_references;
mod create_account;
mod create_site;
mod enter_mini_program;
mod outside;
mod policy;
mod privacy;
mod registration;
mod resolve_workers;
mod rosters;
mod search_workers;
mod send_sms_code;
mod sign_in;
mod sync_workers;
mod unbind_worker;
mod vault;
mod world;
