#![doc = include_str!("../README.md")]

pub mod alert;
mod bus;
mod consumer;
mod delivery;
mod halt;
mod outbox;
pub mod parked;
pub mod rebuild;
mod relay;
pub mod testing;

pub use async_trait::async_trait;
pub use bus::{Bus, stream_name, subject};
pub use consumer::{Consumer, Handler, Outcome, Patience, deliver, run};
pub use delivery::{Delivery, Failure};
pub use outbox::{AuditFact, MAX_EVENT_BYTES, audit, enqueue, enqueue_all};
pub use relay::{Pace, Relay, Retention, relay};
