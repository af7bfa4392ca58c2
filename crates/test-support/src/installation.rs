//! The real binary in any split, on servers it is given.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use fleet::Urls;

use crate::blueprint::{Blueprint, binary};
use crate::process::Process;
use crate::{Database, Nats, eventually};

/// Servers an installation runs on.
#[derive(Debug, Clone)]
pub struct Backing {
    pub database_url: String,
    pub nats_url: String,
    pub stream_prefix: String,
}

impl Backing {
    /// The run's shared servers: a fresh database, a prefix of its own.
    pub async fn shared() -> Self {
        let (database, nats) = tokio::join!(Database::create(), Nats::connect());
        let backing = Self {
            database_url: database.config().url,
            nats_url: nats.url.clone(),
            stream_prefix: nats.prefix.clone(),
        };
        // The installation outlives this function; the run throws the server away whole.
        std::mem::forget(database);
        backing
    }
}

/// Running processes of one installation. Dropping it ends them.
#[derive(Debug)]
pub struct Installation {
    pub(crate) processes: Vec<Process>,
    /// What every process is told.
    pub(crate) settings: Vec<(String, String)>,
    pub urls: Urls,
    /// Where videos are kept.
    pub blobs: PathBuf,
}

impl Installation {
    /// Starts one process for each list of targets and waits until all are ready. Spans go to `otlp`.
    pub async fn start(backing: &Backing, split: &[&str], otlp: Option<&str>) -> Self {
        let mut blueprint = Blueprint::new(backing, split);
        if let Some(otlp) = otlp {
            blueprint.set("SITEPASS_OTLP_ENDPOINT", otlp);
        }
        blueprint.start().await
    }

    /// Where the demo's video is.
    pub fn video() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/safety-video.mp4")
    }

    /// How many processes there are, running or not.
    pub fn len(&self) -> usize {
        self.processes.len()
    }

    /// Never: a blueprint names at least one.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// What a process runs: `ticket,training`.
    pub fn targets(&self, process: usize) -> &str {
        &self.processes[process].targets
    }

    /// The log of each process, kept with the build for whoever looks at a failure.
    pub fn logs(&self) -> Vec<PathBuf> {
        self.processes.iter().map(|process| process.log.clone()).collect()
    }

    /// Waits until every process says it is ready.
    pub async fn ready(&self) {
        for process in 0..self.len() {
            self.process_ready(process).await;
        }
    }

    /// Waits until one process says it is ready.
    ///
    /// # Panics
    /// When it has not within 20 seconds.
    pub async fn process_ready(&self, process: usize) {
        let admin = self.processes[process].admin;
        eventually(&format!("{} to be ready", self.targets(process)), || async move {
            (readiness(admin).await? == 200).then_some(())
        })
        .await;
    }

    /// `kill -9`. Killing a dead one does nothing.
    pub fn kill(&mut self, process: usize) {
        self.processes[process].kill();
    }

    /// Freezes a process: its connections stay open and it does nothing.
    pub fn pause(&self, process: usize) {
        self.processes[process].pause();
    }

    pub fn resume(&self, process: usize) {
        self.processes[process].resume();
    }

    /// Whether a process was frozen, by us or by itself at a marked point.
    pub fn is_paused(&self, process: usize) -> bool {
        self.processes[process].is_paused()
    }

    /// How a process has ended, by itself or by a fault; `None` while it runs.
    ///
    /// # Panics
    /// When the system does not know the process.
    pub fn ended(&mut self, process: usize) -> Option<ExitStatus> {
        self.processes[process].ended()
    }

    /// Starts a process again, killing it first when it runs, with settings of its own besides, for this life alone.
    /// Does not wait until it is ready.
    pub fn restart(&mut self, process: usize, settings: &[(&str, &str)]) {
        self.processes[process].restart(&self.settings, settings);
    }

    /// Another command of the binary with this installation's settings: `audit verify`.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = clean(binary());
        command.args(args).envs(self.settings.iter().cloned());
        command
    }

    /// Asks every process to stop, as an operator would, and waits; the exit codes.
    pub fn stop(mut self) -> Vec<Option<i32>> {
        for process in &self.processes {
            process.ask_to_stop();
        }
        self.processes.iter_mut().map(Process::wait).collect()
    }
}

/// A program that inherits nothing of what names the run's servers: those are no settings of the binary.
pub(crate) fn clean(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("SITEPASS_")) {
        command.env_remove(key);
    }
    command
}

async fn readiness(admin: SocketAddr) -> Option<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(admin).await.ok()?;
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}
