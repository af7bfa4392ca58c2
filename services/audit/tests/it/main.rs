//! The log on a real database.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod checkpoints;
mod crossing;
mod export;
mod forger;
mod grpc;
mod outside;
mod record;
mod search;
mod verify;
