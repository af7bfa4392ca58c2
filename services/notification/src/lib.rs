//! Notices to workers through WeChat, and whether they reached anyone. Owns the queue, the balance of consents and
//! who opened a task; knows nobody's openid but for the moment of sending.

pub mod app;
mod config;
pub mod consumers;
pub mod domain;
pub mod grpc;
mod record;
mod sender;
mod store;
mod wire;
mod wiring;

pub use config::Config;
pub use wiring::{Error, serve};

/// The schema's migrations.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/notification");
