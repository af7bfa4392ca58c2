//! `cargo verify`: what CI checks, in the order that finds mistakes soonest.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::api_test;
use crate::cargo::{cargo, root};
use crate::child::{output, run_program};
use crate::prepare::prepare;
use crate::stop::Stop;
use crate::test::run_all;
use crate::test_servers::TestServers;
use crate::tools;

pub(crate) fn run(stop: &Stop) -> Result<()> {
    let mut steps = Steps::default();
    let mut summary = Vec::new();
    let outcome = check_all(stop, &mut steps, &mut summary);
    steps.print();
    for line in &summary {
        say!("{line}");
    }
    outcome
}

fn check_all(stop: &Stop, steps: &mut Steps, summary: &mut Vec<String>) -> Result<()> {
    let before = tree()?;
    let program = |name: &'static str, steps: &mut Steps, mut command: Command| {
        steps.step(name, || run_program(stop, &mut command))
    };
    let mut lock = cargo(["metadata", "--locked", "--format-version", "1"]);
    lock.stdout(Stdio::null());
    program("Cargo.lock is up to date", steps, lock)?;
    program("format", steps, cargo(["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    program("clippy", steps, cargo(clippy))?;
    steps.step("tools", || {
        for tool in [&tools::NEXTEST, &tools::SQLX, &tools::DENY] {
            tools::ensure(stop, tool)?;
        }
        Ok(())
    })?;
    program(
        "dependencies (bans, licences, sources)",
        steps,
        cargo(["deny", "check", "bans", "licenses", "sources"]),
    )?;
    let servers = steps.step("servers", TestServers::start)?;
    steps.step("checked queries", || prepare(stop, &servers, true))?;
    steps.step("tests", || run_all(stop, &servers, summary))?;
    steps.step("the API against its document", || api_test::check(stop, &servers))?;
    let mut examples = cargo(["test", "--doc", "--workspace"]);
    servers.tell(&mut examples);
    program("tests in documentation", steps, examples)?;
    let mut documents = cargo(["doc", "--no-deps", "--workspace"]);
    documents.env("RUSTDOCFLAGS", "-D warnings");
    program("documentation", steps, documents)?;
    steps.step("generated files", || {
        if tree()? != before {
            bail!("a checked-in file was changed by these checks (see git diff): commit what was generated");
        }
        Ok(())
    })
}

/// What git sees as changed; empty on a fresh clone, and the same before and after when nothing was generated anew.
fn tree() -> Result<String> {
    if !root().join(".git").exists() {
        return Ok(String::new()); // an archive without history
    }
    let status = output(Command::new("git").args(["status", "--porcelain"]).current_dir(root()))?;
    let changes = output(Command::new("git").args(["diff", "--no-ext-diff"]).current_dir(root()))?;
    Ok(format!("{status}\n{changes}"))
}

/// The steps done so far, and the one that failed.
#[derive(Default)]
struct Steps(Vec<(&'static str, Duration, bool)>);

impl Steps {
    fn step<T>(&mut self, name: &'static str, check: impl FnOnce() -> Result<T>) -> Result<T> {
        say!("==> {name}");
        let start = Instant::now();
        let outcome = check();
        let took = start.elapsed();
        self.0.push((name, took, outcome.is_ok()));
        say!("    {name}: {:.1} s", took.as_secs_f64());
        outcome.with_context(|| format!("step `{name}`"))
    }

    fn print(&self) {
        let widest = self.0.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
        say!("\n{:widest$}  minutes", "step");
        for (name, took, passed) in &self.0 {
            say!("{name:widest$}  {:7.1}{}", minutes(*took), if *passed { "" } else { "  FAILED" });
        }
        let total = self.0.iter().map(|(_, took, _)| *took).sum();
        say!("{:widest$}  {:7.1}\n", "all", minutes(total));
    }
}

fn minutes(took: Duration) -> f64 {
    took.as_secs_f64() / 60.0
}
