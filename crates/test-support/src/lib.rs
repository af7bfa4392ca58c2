#![doc = include_str!("../README.md")]

mod blocking;
mod database;
mod eventually;
mod harness;
mod nats;

pub use database::{Database, services};
pub use eventually::eventually;
pub use harness::{Harness, START};
pub use nats::Nats;
