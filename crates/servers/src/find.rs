//! Where the two programs are on this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::state_dir;

/// The oldest PostgreSQL that will do.
pub(crate) const POSTGRES: u32 = 15;
/// The oldest NATS server that will do: atomic batches came with it.
pub(crate) const NATS: (u32, u32) = (2, 12);

/// A PostgreSQL installation that can make and run clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresPrograms {
    pub bin_dir: PathBuf,
    pub major: u32,
}

/// The folder in `SITEPASS_PG_BIN`, else what `pg_config` says, else `PATH`, else the usual places, newest first.
pub fn find_postgres() -> Result<PostgresPrograms> {
    let mut tried = Vec::new();
    for bin_dir in postgres_folders() {
        if !bin_dir.join("initdb").is_file() {
            continue;
        }
        match major(&version_of(&bin_dir.join("postgres"), "--version")) {
            Some(major) if major >= POSTGRES => return Ok(PostgresPrograms { bin_dir, major }),
            Some(major) => tried.push(format!("{} is {major}", bin_dir.display())),
            None => {}
        }
    }
    if tried.is_empty() {
        bail!(
            "PostgreSQL {POSTGRES} or newer is missing: install it (Debian: apt-get install postgresql), or set SITEPASS_PG_BIN to its bin folder"
        );
    }
    bail!(
        "PostgreSQL {POSTGRES} or newer is missing ({}): install it, or set SITEPASS_PG_BIN to its bin folder",
        tried.join(", ")
    )
}

/// The program in `SITEPASS_NATS_SERVER`, else the one on `PATH`, else the pinned one under the state folder.
pub fn find_nats() -> Result<PathBuf> {
    let mut tried = Vec::new();
    for program in nats_programs() {
        match minor(&version_of(&program, "--version")) {
            Some(version) if version >= NATS => return Ok(program),
            Some((major, minor)) => tried.push(format!("{} is {major}.{minor}", program.display())),
            None => {}
        }
    }
    let found = if tried.is_empty() { String::new() } else { format!(" ({})", tried.join(", ")) };
    bail!(
        "nats-server {}.{} or newer is missing{found}: install it from https://nats.io, or set SITEPASS_NATS_SERVER to the program",
        NATS.0,
        NATS.1
    )
}

pub(crate) fn pinned_nats() -> PathBuf {
    state_dir().join("tools/bin/nats-server")
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn postgres_folders() -> Vec<PathBuf> {
    if let Some(given) = env::var_os("SITEPASS_PG_BIN") {
        return vec![PathBuf::from(given)];
    }
    let mut folders = Vec::new();
    if let Ok(done) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&done.stdout).trim()));
    }
    // A link on the PATH leads to the folder that also has initdb.
    if let Some(found) = on_path("postgres").and_then(|link| link.canonicalize().ok()) {
        folders.extend(found.parent().map(Path::to_path_buf));
    }
    for (parent, prefix, below) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/usr/local/opt", "postgresql@", "bin"),
    ] {
        folders.extend(
            newest_first(Path::new(parent), prefix).into_iter().map(|folder| folder.join(below)),
        );
    }
    folders
}

fn newest_first(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?, entry.path()))
        })
        .collect();
    found.sort_by(|left, right| right.cmp(left));
    found.into_iter().map(|(_, path)| path).collect()
}

fn nats_programs() -> Vec<PathBuf> {
    if let Some(given) = env::var_os("SITEPASS_NATS_SERVER") {
        return vec![PathBuf::from(given)];
    }
    on_path("nats-server").into_iter().chain([pinned_nats()]).collect()
}

fn version_of(program: &Path, flag: &str) -> String {
    Command::new(program)
        .arg(flag)
        .output()
        .map(|done| String::from_utf8_lossy(&done.stdout).into_owned())
        .unwrap_or_default()
}

/// Of "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" or "postgres (PostgreSQL) 18beta1".
fn major(text: &str) -> Option<u32> {
    let number = text.split_whitespace().nth(2)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Of "nats-server: v2.15.1".
fn minor(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.trim().rsplit_once('v')?.1.split_once('.')?;
    Some((major.parse().ok()?, rest.split('.').next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major(""), None);
        assert_eq!(minor("nats-server: v2.15.1\n"), Some((2, 15)));
        assert_eq!(minor("nats-server: v2.9.10\n"), Some((2, 9)));
        assert_eq!(minor("no such thing"), None);
    }
}
