//! Door controllers and what they saw: who a controller is, whether it is alive, and every passage it reported.
//! Owns devices, their secrets and passages, and the HTTP that controllers speak. Decides nothing about access:
//! it asks access-grant.

mod announcer;
mod app;
mod config;
mod consumers;
mod domain;
mod grpc;
mod http;
mod store;
mod wire;
mod wiring;

pub use announcer::Announcer;
pub use config::Config;
pub use consumers::{FollowAreas, FollowExplanations, FollowWorkers};
pub use store::sealed_under;
pub use wiring::{Error, serve, start};

/// The schema's migrations.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/device");
