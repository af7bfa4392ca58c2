//! Outbox to inbox on a real database and a real broker, with everything killed that can be.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod broker;
mod consumer;
mod inbox;
mod outbox;
mod owner;
mod relay;
mod state;
mod world;
