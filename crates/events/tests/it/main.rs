//! Outbox to inbox on a real database and a real broker, with everything killed that can be.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod announce;
mod backlog;
mod batch;
mod broker;
mod consumer;
mod days;
mod inbox;
mod measured;
mod outbox;
mod overtaken;
mod owner;
mod parked;
mod prime;
mod rebuild;
mod relay;
mod replay;
mod resend;
mod state;
mod streamed;
mod watchdog;
mod world;
