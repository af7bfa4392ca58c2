//! A handful of journeys through the real binary.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod audit;
mod callers;
mod chaos;
mod database_away;
mod matrix;
mod operator;
mod privacy;
mod split;
mod trace;
