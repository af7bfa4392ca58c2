//! The service on a real database, with stand-ins for the two services it asks.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod amend_ticket;
mod announce;
mod cancel_daily_ticket;
mod cancel_ticket;
mod copy_ticket;
mod create_ticket;
mod daily_ticket;
mod export_ticket;
mod follow_access;
mod follow_notices;
mod follow_training;
mod follow_videos;
mod follow_workers;
mod get_ticket;
mod lifecycle;
mod list_ticket_history;
mod list_tickets;
mod list_worker_tasks;
mod peers;
mod plans;
mod policy;
mod preview;
mod publish_ticket;
mod rosters;
mod serve;
mod versions;
mod warnings;
mod world;
