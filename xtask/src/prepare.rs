//! `cargo xtask prepare`: the checked queries against freshly migrated schemas.

use anyhow::{Context, Result};

use crate::cargo::cargo;
use crate::child::run_program;
use crate::stop::Stop;
use crate::test_servers::TestServers;
use crate::tools;

pub(crate) fn run(stop: &Stop, check: bool) -> Result<()> {
    tools::ensure(stop, &tools::SQLX)?;
    let servers = TestServers::start()?;
    prepare(stop, &servers, check)
}

/// Migrates with a program that has no checked queries itself, since those may be the ones that changed.
pub(crate) fn prepare(stop: &Stop, servers: &TestServers, check: bool) -> Result<()> {
    let (server, _) = servers
        .database_url
        .rsplit_once('/')
        .context("the test database's address names a database")?;
    // A name of its own: on a server that outlives this run, an edited migration must not meet its older self.
    let url = format!("{server}/sitepass_prepare_{}", std::process::id());
    let mut migrate = cargo([
        "run",
        "--quiet",
        "--package",
        "service",
        "--example",
        "migrate",
        "--",
        "--create",
        "--admin-url",
    ]);
    run_program(stop, migrate.arg(&url)).context("migrate every schema")?;
    let mut sqlx = cargo(["sqlx", "prepare", "--workspace", "--database-url"]);
    sqlx.arg(&url).env_remove("SQLX_OFFLINE");
    if check {
        sqlx.arg("--check");
    }
    sqlx.args(["--", "--all-targets"]);
    let hint =
        "the checked queries differ from .sqlx: run `cargo xtask prepare` and commit the change";
    run_program(stop, &mut sqlx)
        .with_context(|| if check { hint } else { "prepare the checked queries" })
}
