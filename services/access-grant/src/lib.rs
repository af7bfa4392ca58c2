//! Who may pass which door, when, because of which tickets; and why not. Owns grants, releases, decisions and
//! explanations, and what doors should hold, were sent and were seen to hold. Knows no names or numbers of people:
//! the push to a door resolves them for the moment of sending.

pub mod announcer;
pub mod app;
mod config;
pub mod consumers;
pub mod domain;
pub mod door;
pub mod ensure;
mod grpc;
pub mod record;
pub mod store;
pub mod wire;
mod wiring;

pub use config::Config;
pub use grpc::{Api, POLICY};
pub use wiring::{Error, serve};

/// The tables of the schema `access_grant`.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/access_grant");
