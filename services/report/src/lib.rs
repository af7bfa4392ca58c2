//! Figures across contexts. Owns read models that other contexts' facts are folded into, and nothing that
//! could not be read again.

mod app;
mod config;
mod consumers;
mod domain;
mod grpc;
mod store;
mod wire;
mod wiring;

pub use config::Config;
pub use consumers::{Fold, Source};
pub use wiring::{Error, serve};

/// The schema's migrations.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/report");
