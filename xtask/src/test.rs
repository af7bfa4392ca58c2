//! `cargo xtask test`: the tests, on servers of their own.

use anyhow::Result;

use crate::cargo::cargo;
use crate::child::{run_program, run_reading};
use crate::stop::Stop;
use crate::test_servers::TestServers;
use crate::tools;

pub(crate) fn run(stop: &Stop, args: &[String]) -> Result<()> {
    tools::ensure(stop, &tools::NEXTEST)?;
    let servers = TestServers::start()?;
    let mut nextest = cargo(["nextest", "run"]);
    // Cargo takes `--workspace` for all packages, whatever is named beside it.
    let named = |arg: &String| arg.starts_with("-p") || arg.starts_with("--package");
    if args.iter().any(named) {
        if args.iter().any(|arg| arg.ends_with("e2e")) {
            build(stop)?;
        }
    } else {
        build(stop)?;
        nextest.arg("--workspace");
    }
    nextest.args(args);
    servers.tell(&mut nextest);
    run_program(stop, &mut nextest)
}

/// Journeys start the programs themselves.
pub(crate) fn build(stop: &Stop) -> Result<()> {
    run_program(stop, &mut cargo(["build", "--package", "sitepass", "--package", "fleet"]))
}

/// Runs every test and gives back the runner's own summary, also when a test failed.
pub(crate) fn run_all(stop: &Stop, servers: &TestServers, summary: &mut Vec<String>) -> Result<()> {
    build(stop)?;
    let mut nextest = cargo(["nextest", "run", "--workspace"]);
    servers.tell(&mut nextest);
    let mut in_summary = false;
    run_reading(stop, &mut nextest, |line| {
        eprintln!("{line}");
        in_summary |= line.trim_start().starts_with("Summary [");
        if in_summary {
            summary.push(line.to_owned());
        }
    })
}
