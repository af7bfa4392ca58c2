//! The tamper-evident log: every event of every context and every command, hash-chained per site.
//! Owns the entries and their chains; knows nothing of what the events mean.

mod app;
mod config;
mod consumers;
mod domain;
mod grpc;
mod store;
mod wire;
mod wiring;

pub use app::verify_all;
pub use config::Config;
pub use consumers::Record;
pub use domain::ChainReport;
pub use wiring::{Error, serve};

/// The schema's migrations.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/audit");
