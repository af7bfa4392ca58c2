//! The gateway behind a real listener, its services played by fakes.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod access;
mod admin;
mod amend_tickets;
mod audit_logs;
mod auth;
mod daily_tickets;
mod document;
mod envelope;
mod help;
mod media;
mod mini_program;
mod peers;
mod places;
mod roster;
mod rosters;
mod sign_ins;
mod ticket_export;
mod webhook;
mod work_tickets;
