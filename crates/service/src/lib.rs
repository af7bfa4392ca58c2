#![doc = include_str!("../README.md")]

pub mod admin;
pub mod clock_sync;
pub mod config;
pub mod faults;
pub mod grpc;
pub mod health;
pub mod http;
pub mod idempotency;
mod listen;
pub mod migrate;
mod nats;
mod refusal;
mod shell;
pub mod store;
mod tasks;
pub mod telemetry;

pub use listen::{ListenError, listen, listen_if};
pub use nats::Nats;
pub use refusal::{Fields, Refusal};
pub use shell::Shell;
pub use store::{Conn, Scope, Store, StoreError, Tx};
pub use tasks::Tasks;
