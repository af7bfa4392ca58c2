//! Work tickets and their days: who may work where, when, after which training.
//! Owns `ticket`'s schema and publishes every change of a ticket as the whole ticket with its version.
//! Knows no names, no faces and no doors; how far each worker is, it is told by the services that know.

pub mod announcer;
pub mod app;
mod config;
pub mod consumers;
pub mod domain;
mod grpc;
pub mod store;
mod wire;
mod wiring;

pub use config::Config;
pub use grpc::{POLICY, routes};
pub use wiring::{Error, serve};

/// The schema's migrations.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/ticket");
