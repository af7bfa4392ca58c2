//! The log on a real database.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod grpc;
mod record;
