//! The service on a real database and a real listener.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod announce;
mod bed;
mod decisions;
mod events;
mod heartbeats;
mod passages;
mod peers;
mod permissions;
mod registration;
mod signatures;
mod vault;
mod vendor_events;
