#![doc = include_str!("../README.md")]

mod account;
mod find;
mod home;
mod install;
mod nats;
mod port;
mod postgres;
mod process;
mod server;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub use find::{PostgresPrograms, find_nats, find_postgres};
pub use home::Busy;
pub use install::{ensure_nats, ensure_postgres};
pub use nats::PrivateNats;
pub use port::{free_port, is_listening, reserve};
pub use postgres::{Durability, PrivatePostgres};
pub use process::{Signal, is_alive, is_paused, send, stop_stale};

/// The git-ignored folder that holds everything the demo and the tests keep on disk: `.sitepass` of this workspace.
pub fn state_dir() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = manifest.ancestors().nth(2).unwrap_or(manifest);
    workspace.join(".sitepass")
}

/// Stops what a killed run left in a durable server's folder and removes it with its data. Fails with [`Busy`] while
/// another run uses it; does nothing when there is no such folder.
pub fn erase(dir: &Path) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    let home = home::Home::open(dir, account::Account::for_servers()?, home::Place::Kept)?;
    postgres::stop_left_over(&home);
    nats::stop_left_over(&home);
    home.erase()
}
