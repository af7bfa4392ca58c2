//! A NATS server with JetStream of one's own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::account::Account;
use crate::find::find_nats;
use crate::home::{Home, Place};
use crate::port::{connect, free_port};
use crate::process::{Signal, stop_stale};
use crate::server::Server;

/// A running server. Dropping it stops the server.
#[derive(Debug)]
pub struct PrivateNats {
    server: Server,
    program: PathBuf,
    account: Account,
    port: u16,
    home: Home,
}

impl PrivateNats {
    /// Starts a server in `dir` on `port` or a free one of 127.0.0.1. With `sync_always` an acknowledged message is on the
    /// disk and the streams stay for the next start; without, it is a throwaway server whose streams are wiped before and
    /// after. Fails when another run uses `dir`; a server that a killed run left there is stopped first.
    pub fn start(dir: &Path, sync_always: bool, port: Option<u16>) -> Result<PrivateNats> {
        let account = Account::for_servers()?;
        let home =
            Home::open(dir, account, if sync_always { Place::Kept } else { Place::Throwaway })?;
        stop_left_over(&home);
        home.wipe()?;
        let program = reachable(&find_nats()?, account, home.path())?;
        let port = port.map_or_else(free_port, Ok)?;
        configure(home.path(), account, sync_always, port)?;
        let server = launch(&program, account, home.path(), port)?;
        Ok(PrivateNats { server, program, account, port, home })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn log(&self) -> PathBuf {
        log(self.home.path())
    }

    /// The folder that holds the streams; a test may remove or replace it while the server is stopped or killed.
    pub fn streams(&self) -> PathBuf {
        streams(self.home.path())
    }

    /// How the server ended, if it did on its own.
    pub fn exited(&mut self) -> Option<String> {
        self.server.exited().map(|status| status.to_string())
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Starts it again on the same port and streams, stopping it first if it runs.
    pub fn restart(&mut self) -> Result<()> {
        self.server.stop()?;
        self.server = launch(&self.program, self.account, self.home.path(), self.port)?;
        Ok(())
    }

    /// Deletes every stream and consumer of a server that was stopped or killed.
    pub fn wipe(&mut self) -> Result<()> {
        let streams = self.streams();
        fs::remove_dir_all(&streams).context("delete the streams")?;
        fs::create_dir_all(&streams).context("make the folder for streams")?;
        self.account.own(&streams)
    }

    /// Copies the streams to `to`, which is made. Pause or kill the server first: it writes in several files.
    pub fn copy_streams(&self, to: &Path) -> Result<()> {
        fs::create_dir_all(to).context("make a folder for the copy")?;
        copy_all(&self.streams(), to)
    }

    /// Puts a copy in the place of the streams of a server that was stopped or killed.
    pub fn restore_streams(&mut self, from: &Path) -> Result<()> {
        self.wipe()?;
        copy_all(from, &self.streams())
    }

    /// Freezes the server: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.server.pause();
    }

    pub fn resume(&self) {
        self.server.resume();
    }

    /// Stops it and says if that went wrong, which dropping it does not.
    pub fn stop(mut self) -> Result<()> {
        self.server.stop()
    }
}

/// With owners, which the server's account needs.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    let done =
        Command::new("cp").arg("-a").arg(from.join(".")).arg(to).output().context("start cp")?;
    if !done.status.success() {
        bail!("copy the streams: {}", String::from_utf8_lossy(&done.stderr).trim_end());
    }
    Ok(())
}

fn streams(home: &Path) -> PathBuf {
    home.join("jetstream")
}

fn log(home: &Path) -> PathBuf {
    home.join("nats.log")
}

fn conf(home: &Path) -> PathBuf {
    home.join("nats.conf")
}

/// The pinned program may lie in a folder the account cannot enter: then a copy in the home runs.
fn reachable(program: &Path, account: Account, home: &Path) -> Result<PathBuf> {
    if account.reaches(program) {
        return Ok(program.to_path_buf());
    }
    let copy = home.join("nats-server");
    fs::copy(program, &copy).with_context(|| format!("copy {}", program.display()))?;
    account.own(&copy)?;
    Ok(copy)
}

fn configure(home: &Path, account: Account, sync_always: bool, port: u16) -> Result<()> {
    fs::create_dir_all(streams(home)).context("make the folder for streams")?;
    account.own(&streams(home))?;
    let sync = if sync_always { "  sync_interval: always\n" } else { "" };
    let store = streams(home).display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
    let text =
        format!("listen: \"127.0.0.1:{port}\"\njetstream {{\n  store_dir: \"{store}\"\n{sync}}}\n");
    fs::write(conf(home), text).context("write nats.conf")?;
    account.own(&conf(home))
}

fn launch(program: &Path, account: Account, home: &Path, port: u16) -> Result<Server> {
    let mut command = account.command(program, home);
    command.arg("-c").arg(conf(home));
    let mut server = Server::spawn(command, "NATS", &log(home), Signal::TERM)?;
    fs::write(home.join("nats.pid"), server.pid().to_string()).context("write nats.pid")?;
    server.wait_ready(|_| greets_with_jetstream(port))?;
    Ok(server)
}

fn greets_with_jetstream(port: u16) -> bool {
    let mut line = String::new();
    connect(port).is_ok_and(|stream| BufReader::new(stream).read_line(&mut line).is_ok())
        && line.starts_with("INFO ")
        && line.contains("\"jetstream\":true")
}

pub(crate) fn stop_left_over(home: &Home) {
    let file = home.path().join("nats.pid");
    let Some(pid) = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()) else {
        return;
    };
    stop_stale(pid, &conf(home.path()).to_string_lossy(), Signal::TERM, Duration::from_secs(10));
    drop(fs::remove_file(&file));
}
