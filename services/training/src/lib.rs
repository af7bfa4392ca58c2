//! Videos, watched sessions, drawn checks and records: who watched what, proved as themself.
//! Owns the schema `training`. Knows of tickets and site settings only what their facts say, and of persons only ids.

pub mod announcer;
pub mod app;
mod config;
pub mod consumers;
pub mod domain;
pub mod face;
pub mod grpc;
pub mod store;
mod wire;
mod wiring;

pub use config::Config;
pub use wiring::{Error, serve};

/// The tables of this service.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/training");
