//! Sites, contractors, areas, workers, accounts and bindings. The only vault of personal data: others know a worker by
//! id and face id. Knows nothing of tickets, trainings or doors.

mod announcer;
mod app;
mod config;
mod domain;
mod grpc;
mod realname;
mod sms;
mod store;
mod wire;
mod wiring;

pub use announcer::Announcer;
pub use config::{Config, RosterRhythm};
pub use grpc::POLICY;
pub use sms::Config as SmsConfig;
pub use store::sealed_under;
pub use wiring::{Error, serve};

/// Of the service's schema; the platform's tables come before.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/directory");
