//! One process of an installation.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use servers::{Signal, send};

use crate::blueprint::binary;
use crate::installation::clean;

/// Asked to stop, a process gives its work ten seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) targets: String,
    pub(crate) admin: SocketAddr,
    pub(crate) log: PathBuf,
    /// What it alone is told.
    own: Vec<(String, String)>,
    child: Child,
}

impl Process {
    pub(crate) fn start(
        targets: String,
        admin: SocketAddr,
        log: PathBuf,
        shared: &[(String, String)],
        own: Vec<(String, String)>,
    ) -> Self {
        std::fs::File::create(&log).expect("a log file");
        let child = spawn(&targets, admin, &log, shared, &own, &[]);
        Self { targets, admin, log, own, child }
    }

    pub(crate) fn restart(&mut self, shared: &[(String, String)], besides: &[(&str, &str)]) {
        self.kill();
        self.child = spawn(&self.targets, self.admin, &self.log, shared, &self.own, besides);
    }

    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    pub(crate) fn pause(&self) {
        send(self.child.id(), Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        send(self.child.id(), Signal::CONT);
    }

    pub(crate) fn is_paused(&self) -> bool {
        servers::is_paused(self.child.id())
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    pub(crate) fn ask_to_stop(&self) {
        send(self.child.id(), Signal::TERM);
    }

    /// The exit code; `None` when a signal ended it.
    ///
    /// # Panics
    /// When it does not end.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let status = ended(&mut self.child, ENDS_WITHIN);
        let status = status.unwrap_or_else(|| {
            panic!(
                "{} runs {ENDS_WITHIN:?} after it was to stop: {}",
                self.targets,
                self.log.display()
            )
        });
        status.code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How it ended; `None` when it has not in time.
fn ended(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + within;
    loop {
        let status = child.try_wait().expect("a child can be waited for");
        if status.is_some() || Instant::now() >= until {
            return status;
        }
        std::thread::sleep(POLL);
    }
}

fn spawn(
    targets: &str,
    admin: SocketAddr,
    log: &Path,
    shared: &[(String, String)],
    own: &[(String, String)],
    besides: &[(&str, &str)],
) -> Child {
    let log = OpenOptions::new().append(true).open(log).expect("the log file is there");
    clean(binary())
        .args(["serve", "--sandbox", "--target", targets])
        .envs(shared.iter().chain(own).cloned())
        .envs(besides.iter().copied())
        .env("SITEPASS_ADMIN_LISTEN", admin.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the sitepass binary starts; `cargo xtask test` builds it")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_that_does_not_end_is_not_waited_for_without_end() {
        let mut child = Command::new("sleep").arg("10").spawn().unwrap();
        assert_eq!(ended(&mut child, Duration::from_millis(20)), None);
        child.kill().unwrap();
        assert!(ended(&mut child, Duration::from_secs(5)).is_some());
    }
}
