//! Cargo, called so that it behaves the same from every shell.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Settings of these commands, not of the binary, which refuses what it does not know.
pub(crate) const OWN_KEYS: [&str; 4] = [
    "SITEPASS_PG_BIN",
    "SITEPASS_NATS_SERVER",
    "SITEPASS_TEST_DATABASE_URL",
    "SITEPASS_TEST_NATS_URL",
];

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

pub(crate) fn tools_dir() -> PathBuf {
    servers::state_dir().join("tools")
}

/// A cargo command in the workspace: queries are checked against `.sqlx`, never against a database that happens to be
/// in the environment.
pub(crate) fn cargo<const N: usize>(args: [&str; N]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command
        .current_dir(root())
        .args(args)
        .env("SQLX_OFFLINE", "true")
        .env_remove("DATABASE_URL")
        .env("PATH", path());
    for (key, _) in env::vars_os() {
        // What `cargo run` told us about xtask itself would only confuse another cargo.
        let about_us = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if key.to_str().is_some_and(|key| about_us.iter().any(|prefix| key.starts_with(prefix))) {
            command.env_remove(key);
        }
    }
    command
}

/// `PATH` with our own tools in front.
pub(crate) fn path() -> OsString {
    let before = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools_dir().join("bin")).chain(env::split_paths(&before));
    env::join_paths(folders).unwrap_or(before)
}

/// A program of this workspace, which lies beside xtask whatever the target folder is.
pub(crate) fn built(program: &str) -> Result<PathBuf> {
    let own = env::current_exe().context("find xtask's own program")?;
    Ok(own.with_file_name(program))
}
