//! The sitepass process: started, watched, stopped.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use servers::{Signal, send, stop_stale};

use crate::stop::Stop;

const READY_LIMIT: Duration = Duration::from_mins(1);
/// The binary promises to end within ten seconds.
const STOP_LIMIT: Duration = Duration::from_secs(11);
const LINES: usize = 20;

#[derive(Debug)]
pub(crate) struct Sitepass {
    child: Child,
    log: PathBuf,
    pid_file: PathBuf,
}

impl Sitepass {
    /// In a process group of its own, so that Ctrl-C reaches it only through us and after the fleet.
    pub(crate) fn start(mut serve: Command, state: &Path) -> Result<Sitepass> {
        let out = log(state, "sitepass")?;
        let err = out.try_clone().context("share the log")?;
        let child = serve
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .context("start sitepass")?;
        let pid_file = pid_file(state);
        fs::write(&pid_file, child.id().to_string()).context("remember its process")?;
        Ok(Sitepass { child, log: log_path(state, "sitepass"), pid_file })
    }

    pub(crate) fn wait_ready(&mut self, stop: &Stop, port: u16) -> Result<()> {
        let end = Instant::now() + READY_LIMIT;
        while !is_ready(port) {
            self.check()?;
            if Instant::now() >= end {
                bail!("not ready within {} s; {}", READY_LIMIT.as_secs(), self.last_lines());
            }
            stop.tick()?;
        }
        Ok(())
    }

    /// Fails when it ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait().context("look at sitepass")? {
            Some(status) => bail!("sitepass ended by itself ({status}); {}", self.last_lines()),
            None => Ok(()),
        }
    }

    /// Fails when it had ended before, or had to be killed.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.check()?;
        send(self.child.id(), Signal::TERM);
        let end = Instant::now() + STOP_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().context("wait for sitepass")? {
                if !status.success() {
                    bail!("sitepass stopped badly ({status}); {}", self.last_lines());
                }
                return Ok(());
            }
            if Instant::now() >= end {
                bail!(
                    "sitepass did not stop within {} s and was killed; {}",
                    STOP_LIMIT.as_secs(),
                    self.last_lines()
                );
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn last_lines(&self) -> String {
        let text = fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
        format!("the end of {}:\n{end}", self.log.display())
    }
}

impl Drop for Sitepass {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            send(self.child.id(), Signal::KILL);
            self.child.wait().ok();
        }
        fs::remove_file(&self.pid_file).ok();
    }
}

/// Ends the process of a demo that was killed; the caller holds the demo's lock.
pub(crate) fn stop_left_over(state: &Path) {
    let file = pid_file(state);
    let Some(pid) = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()) else {
        return;
    };
    stop_stale(pid, "sitepass serve --target all --sandbox", Signal::TERM, STOP_LIMIT);
    fs::remove_file(&file).ok();
}

/// What a person should have looked at, by the log of the run that ended last.
pub(crate) fn errors(state: &Path) -> Result<Vec<String>> {
    let path = log_path(state, "sitepass");
    let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().filter(|line| is_error(line)).map(str::to_owned).collect())
}

/// A line that is no JSON is none of the program's own: a panic's.
fn is_error(line: &str) -> bool {
    match serde_json::from_str::<serde_json::Value>(line) {
        Ok(line) => line["level"] == "ERROR",
        Err(_) => true,
    }
}

/// A log of its own for each run; the one before is kept beside it.
pub(crate) fn log(state: &Path, name: &str) -> Result<File> {
    let path = log_path(state, name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).context("make the folder for logs")?;
    }
    if path.exists() {
        fs::rename(&path, path.with_extension("log.1"))
            .context("keep the log of the run before")?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))
}

fn log_path(state: &Path, name: &str) -> PathBuf {
    state.join("logs").join(format!("{name}.log"))
}

fn pid_file(state: &Path) -> PathBuf {
    state.join("sitepass.pid")
}

fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status[9..] == b"200")
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_asks_for_a_person_is_an_error() {
        assert!(is_error(r#"{"level":"ERROR","message":"the audit log is not what it was"}"#));
        assert!(is_error("thread 'main' panicked at src/main.rs:1:1:"));
        assert!(!is_error(r#"{"level":"WARN","message":"shown without the ERROR's age"}"#));
    }
}
