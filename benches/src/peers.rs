//! The programs that do the same work, installed at their pinned versions, each run in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::root;

/// As `bench.mjs` sets them.
pub(crate) const GRAPHILE_SETTINGS: &str = "as its page on performance was measured: concurrentJobs 24, maxPoolSize 25, localQueue.size 500, completeJobBatchDelay 0, failJobBatchDelay 0";
/// Fetched at once; see [`PGQUEUER_SETTINGS`].
pub(crate) const PGQUEUER_BATCH: u32 = 100;
pub(crate) const PGQUEUER_SETTINGS: &str = "as its guide on performance asks for short jobs: a larger batch_size (100; the default is 10), one asyncpg connection for the queue, its vacuum settings, durable tables, uvloop";

/// The installed peers and what they are made of.
#[derive(Debug)]
pub(crate) struct Peers {
    node: PathBuf,
    python: PathBuf,
    /// Name and version, of the runtimes too.
    pub(crate) versions: Vec<(String, String)>,
}

/// Installs what is missing below `folder`, from the lock files, by npm and pip.
pub(crate) fn install(folder: &Path) -> Result<Peers> {
    let node = folder.join("graphile-worker");
    let manifest = copy(
        "graphile-worker",
        &["package.json", "package-lock.json", ".npmrc", "bench.mjs"],
        &node,
    )?;
    if manifest || !node.join("node_modules/graphile-worker/package.json").is_file() {
        say!("installing graphile-worker with npm");
        output(
            std::process::Command::new("npm").args(["ci", "--ignore-scripts"]).current_dir(&node),
        )?;
    }
    let venv = folder.join("pgqueuer");
    let changed = copy("pgqueuer", &["requirements.txt", "bench.py"], &venv)?;
    let python = venv.join("venv/bin/python");
    if changed || !venv.join("installed").is_file() {
        say!("installing pgqueuer with pip");
        output(
            std::process::Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(venv.join("venv")),
        )?;
        let mut pip = std::process::Command::new(&python);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "--requirement",
        ]);
        output(pip.arg(venv.join("requirements.txt")))?;
        std::fs::write(venv.join("installed"), "").context("remember what is installed")?;
    }
    let mut versions = vec![
        ("Node.js".to_owned(), output(std::process::Command::new("node").arg("--version"))?),
        ("Python".to_owned(), output(std::process::Command::new(&python).arg("--version"))?),
    ];
    for package in ["graphile-worker", "nats", "pg"] {
        let text =
            std::fs::read_to_string(node.join("node_modules").join(package).join("package.json"))
                .with_context(|| format!("read the version of {package}"))?;
        let manifest: Value = serde_json::from_str(&text)?;
        versions.push((package.to_owned(), manifest["version"].as_str().unwrap_or("?").to_owned()));
    }
    let pins = std::fs::read_to_string(venv.join("requirements.txt")).context("read the pins")?;
    for package in ["pgqueuer", "nats-py", "asyncpg", "uvloop"] {
        let pinned = pins.lines().find_map(|line| line.strip_prefix(&format!("{package}==")));
        let version = pinned.and_then(|rest| rest.split_whitespace().next()).unwrap_or("?");
        versions.push((package.to_owned(), version.to_owned()));
    }
    Ok(Peers { node, python, versions })
}

/// Copies a peer's files below the target folder, so that nothing is installed into the tree. Says whether what
/// is installed may have changed.
fn copy(peer: &str, files: &[&str], into: &Path) -> Result<bool> {
    std::fs::create_dir_all(into).with_context(|| format!("create {}", into.display()))?;
    let mut changed = false;
    for file in files {
        let text = std::fs::read(root().join("benches/peers").join(peer).join(file))
            .with_context(|| format!("read {file} of {peer}"))?;
        let target = into.join(file);
        let same = std::fs::read(&target).is_ok_and(|before| before == text);
        changed |= !same && !file.starts_with("bench.");
        std::fs::write(&target, text).with_context(|| format!("write {}", target.display()))?;
    }
    if changed {
        std::fs::remove_file(into.join("installed")).ok(); // there only after an earlier run
    }
    Ok(changed)
}

pub(crate) fn output(command: &mut std::process::Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("run {name}"))?;
    if !done.status.success() {
        bail!(
            "{name} failed ({}):\n{}",
            done.status,
            String::from_utf8_lossy(&done.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

impl Peers {
    /// Runs graphile-worker to the end of its order and gives its last answer.
    pub(crate) async fn graphile(&self, order: Value) -> Result<Value> {
        Worker::start(self.graphile_command(&order))?.answer().await
    }

    /// Starts graphile-worker; it answers more than once.
    pub(crate) fn graphile_worker(&self, order: &Value) -> Result<Worker> {
        Worker::start(self.graphile_command(order))
    }

    fn graphile_command(&self, order: &Value) -> Command {
        let mut command = Command::new("node");
        command.arg("bench.mjs").arg(order.to_string()).current_dir(&self.node);
        // Its documentation says so for production.
        command.env("NODE_ENV", "production");
        command
    }

    /// Runs pgqueuer to the end of its order and gives its answer.
    pub(crate) async fn pgqueuer(&self, order: Value) -> Result<Value> {
        let script = self.python.ancestors().nth(3).unwrap_or(Path::new(".")).join("bench.py");
        let mut command = Command::new(&self.python);
        command.arg(script).arg(order.to_string());
        Worker::start(command)?.answer().await
    }
}

/// A running peer; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start a peer")?;
        let stdout = child.stdout.take().context("a peer's standard output")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    /// Its next answer.
    pub(crate) async fn answer(&mut self) -> Result<Value> {
        match self.lines.next_line().await? {
            Some(line) => serde_json::from_str(&line).context("a peer's answer"),
            None => bail!("a peer ended without an answer ({})", self.child.wait().await?),
        }
    }
}
