//! The tamper-evident log: every event of every context and every command, hash-chained per site, and the checkpoints
//! outside the database that prove it. Owns the entries and their chains; knows nothing of what the events mean.

mod app;
mod archive;
mod config;
mod consumers;
mod domain;
mod grpc;
mod offline;
mod store;
pub mod testing;
mod wire;
mod wiring;

pub use app::{CheckpointReport, Error as LogError, LogReport, verify_all};
pub use archive::{Archive, ArchiveError};
pub use config::{CheckpointConfig, Config};
pub use consumers::Record;
pub use domain::{ChainReport, FileReport};
pub use offline::{FileProblem, verify_file};
pub use wiring::{Error, serve};

/// The schema's migrations.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/audit");
