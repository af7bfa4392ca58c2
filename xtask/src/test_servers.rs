//! The two servers that all tests of one run share.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use servers::{Busy, Durability, PrivateNats, PrivatePostgres};

use crate::cargo::path;

/// Runs that may go on beside each other in one workspace.
const SLOTS: u32 = 8;

#[derive(Debug)]
pub(crate) struct TestServers {
    /// The superuser's address of the database `postgres`.
    pub(crate) database_url: String,
    pub(crate) nats_url: String,
    postgres_programs: PathBuf,
    nats_program: PathBuf,
    _postgres: Option<PrivatePostgres>,
    _nats: Option<PrivateNats>,
}

impl TestServers {
    /// Uses the servers in the environment, else starts throwaway ones. Their programs are installed when missing, for
    /// crash tests start servers of their own.
    pub(crate) fn start() -> Result<TestServers> {
        let say = |line: &str| say!("    {line}");
        let postgres_programs = servers::ensure_postgres(say)?.bin_dir;
        let nats_program = servers::ensure_nats(say)?;
        let given = |key| {
            env::var_os(key).and_then(|url| url.into_string().ok()).filter(|url| !url.is_empty())
        };
        let (postgres, database_url) = if let Some(url) = given("SITEPASS_TEST_DATABASE_URL") {
            (None, url)
        } else {
            let postgres = in_free_slot("postgres", |dir| {
                PrivatePostgres::start(dir, Durability::Throwaway, None)
            })?;
            let url = postgres.url("postgres");
            (Some(postgres), url)
        };
        let (nats, nats_url) = if let Some(url) = given("SITEPASS_TEST_NATS_URL") {
            (None, url)
        } else {
            let nats = in_free_slot("nats", |dir| PrivateNats::start(dir, false, None))?;
            let url = nats.url();
            (Some(nats), url)
        };
        say!("    PostgreSQL {database_url}, NATS {nats_url}");
        Ok(TestServers {
            database_url,
            nats_url,
            postgres_programs,
            nats_program,
            _postgres: postgres,
            _nats: nats,
        })
    }

    /// Tells a command where they are.
    pub(crate) fn tell(&self, command: &mut Command) {
        let folder = self.nats_program.parent().map(Path::to_path_buf);
        let with_nats =
            env::join_paths(env::split_paths(&path()).chain(folder)).unwrap_or_else(|_| path());
        command
            .env("SITEPASS_TEST_DATABASE_URL", &self.database_url)
            .env("SITEPASS_TEST_NATS_URL", &self.nats_url)
            .env("SITEPASS_PG_BIN", &self.postgres_programs)
            .env("SITEPASS_NATS_SERVER", &self.nats_program)
            .env("PATH", with_nats);
    }
}

fn in_free_slot<T>(server: &str, start: impl Fn(&Path) -> Result<T>) -> Result<T> {
    for slot in 1..=SLOTS {
        match start(&servers::state_dir().join(format!("test-{slot}")).join(server)) {
            Err(err) if err.is::<Busy>() => {}
            outcome => return outcome,
        }
    }
    None.with_context(|| format!("{SLOTS} test runs are going on in this workspace"))
}
