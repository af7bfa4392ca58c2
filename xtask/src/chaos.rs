//! `cargo chaos`: the fault matrix on real processes.

use anyhow::Result;

use crate::cargo::cargo;
use crate::child::run_program;
use crate::stop::Stop;
use crate::test::build;
use crate::test_servers::TestServers;

/// Every installation has servers of its own; what the run shares only names their programs.
pub(crate) fn run(stop: &Stop, args: &[String]) -> Result<()> {
    let servers = TestServers::start()?;
    build(stop)?;
    let mut chaos = cargo(["run", "--quiet", "--package", "e2e", "--bin", "chaos", "--"]);
    chaos.args(args);
    servers.tell(&mut chaos);
    run_program(stop, &mut chaos)
}
