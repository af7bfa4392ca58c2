//! One server process: started, watched, stopped, killed, paused.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::{Signal, family, is_alive, is_paused, send, wait_gone};

const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
    gentle: Signal,
}

impl Server {
    /// Starts `command` in a process group of its own, so that Ctrl-C in a terminal reaches it only through us.
    pub(crate) fn spawn(
        mut command: Command,
        name: &'static str,
        log: &Path,
        gentle: Signal,
    ) -> Result<Server> {
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("open {}", log.display()))?;
        let err = out.try_clone().with_context(|| format!("open {}", log.display()))?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        Ok(Server { name, child, log: log.to_path_buf(), gentle })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait_ready(&mut self, ready: impl Fn(u32) -> bool) -> Result<()> {
        let end = Instant::now() + START_LIMIT;
        while !ready(self.pid()) {
            if let Some(status) = self.exited() {
                bail!(
                    "{} did not start ({status}); the end of {}:\n{}",
                    self.name,
                    self.log.display(),
                    tail(&self.log, 15)
                );
            }
            if Instant::now() >= end {
                bail!(
                    "{} was not ready within {} s; see {}",
                    self.name,
                    START_LIMIT.as_secs(),
                    self.log.display()
                );
            }
            thread::sleep(Duration::from_millis(25));
        }
        Ok(())
    }

    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks the server to end and kills it when it does not. Stopping a stopped server does nothing.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.end(self.gentle)
    }

    /// Sends `signal` and waits for the end, as [`Server::stop`] does.
    pub(crate) fn end(&mut self, signal: Signal) -> Result<()> {
        if self.exited().is_some() {
            return Ok(());
        }
        let family = family(self.pid());
        for member in &family {
            send(*member, Signal::CONT); // a paused server cannot end
        }
        send(self.pid(), signal);
        let end = Instant::now() + STOP_LIMIT;
        while self.exited().is_none() {
            if Instant::now() >= end {
                self.kill()?;
                bail!(
                    "{} did not stop within {} s and was killed",
                    self.name,
                    STOP_LIMIT.as_secs()
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
        wait_gone(&family, STOP_LIMIT);
        Ok(())
    }

    /// `kill -9` of the server and all its children, and waits until none is left.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let family = self.halted();
        for member in &family {
            send(*member, Signal::KILL);
        }
        self.child.wait().with_context(|| format!("wait for {}", self.name))?;
        if !wait_gone(&family, STOP_LIMIT) {
            bail!("a process of {} outlived its kill", self.name);
        }
        Ok(())
    }

    pub(crate) fn pause(&self) {
        for member in self.halted() {
            send(member, Signal::STOP);
        }
    }

    /// The server, which is paused by now, and all its children: one that it started after they were counted would
    /// outlive a kill, and hold what the next start needs.
    fn halted(&self) -> Vec<u32> {
        send(self.pid(), Signal::STOP);
        let end = Instant::now() + STOP_LIMIT;
        while !is_paused(self.pid()) && is_alive(self.pid()) && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        family(self.pid())
    }

    pub(crate) fn resume(&self) {
        for member in family(self.pid()) {
            send(member, Signal::CONT);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop()); // killed at the latest
    }
}

/// The last lines of a log, for an error message.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::{Server, family};
    use crate::process::{Signal, send, wait_gone};

    #[test]
    fn a_kill_leaves_no_child_that_was_started_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..5 {
            let mut shell = Command::new("sh");
            shell.args(["-c", "for number in $(seq 3000); do sleep 600 & echo $!; done; wait"]);
            let log = folder.path().join(format!("children-{round}"));
            let mut server = Server::spawn(shell, "a shell", &log, Signal::TERM).unwrap();
            server.wait_ready(|pid| family(pid).len() > 10).unwrap();
            server.kill().unwrap();
            let text = std::fs::read_to_string(&log).unwrap();
            let started: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            let gone = wait_gone(&started, Duration::ZERO);
            if !gone {
                for child in &started {
                    send(*child, Signal::KILL);
                }
                panic!("of {} children some outlived the server", started.len());
            }
        }
    }
}
