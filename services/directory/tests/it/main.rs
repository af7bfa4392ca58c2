//! The directory as others call it: through its contract, on a real database, with the outside firms played.

mod announce;
mod bind_worker;
mod change_account;
mod change_places;
mod check_references;
mod create_account;
mod create_site;
mod enter_mini_program;
mod list_accounts;
mod match_workers;
mod odd_rosters;
mod outside;
mod passwords;
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
mod unknown_contractors;
mod vault;
mod world;
