//! Figures on a real database.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod dashboard;
mod outlook;
