#![doc = include_str!("../README.md")]

pub mod alert;
mod announce;
mod bus;
mod consumer;
mod delivery;
mod halt;
mod outbox;
pub mod parked;
pub mod rebuild;
mod relay;
mod states;
pub mod testing;

pub use announce::{
    Announce, Announced, Announcer, Live, Progress, Rows, announce, erase_state, has_states,
    progress, reannounce,
};
pub use async_trait::async_trait;
pub use bus::{Bus, stream_name, subject};
pub use consumer::{Consumer, Handler, Outcome, Patience, deliver, run};
pub use delivery::{Delivery, Failure};
pub use outbox::{AuditFact, MAX_EVENT_BYTES, audit, enqueue, enqueue_all, operator};
pub use relay::{Pace, Relay, Retention, relay};
pub use states::{state_stream_name, state_subject};
