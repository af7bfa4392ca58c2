//! A PostgreSQL cluster of one's own.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::account::Account;
use crate::find::{PostgresPrograms, find_postgres};
use crate::home::{Home, Place};
use crate::port::free_port;
use crate::process::{Signal, stop_stale};
use crate::server::Server;

/// The database a durable cluster is made with.
const DATABASE: &str = "sitepass";

/// What a cluster promises after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is on the disk; the data stay for the next start in the same folder.
    Durable,
    /// As fast as it goes, on a memory disk where there is room for it; wiped before and after.
    Throwaway,
}

/// A running server. Dropping it stops the server; a throwaway one loses its data then.
#[derive(Debug)]
pub struct PrivatePostgres {
    server: Server,
    programs: PostgresPrograms,
    account: Account,
    durability: Durability,
    port: u16,
    home: Home,
}

impl PrivatePostgres {
    /// Starts a cluster in `dir`, made on the first start, on `port` or a free one of 127.0.0.1. The superuser is
    /// `postgres`, without a password. A durable cluster has a database `sitepass` besides. Fails when another run uses
    /// `dir`; a server that a killed run left there is stopped first.
    pub fn start(dir: &Path, durability: Durability, port: Option<u16>) -> Result<PrivatePostgres> {
        let account = Account::for_servers()?;
        let programs = find_postgres()?;
        let place = if durability == Durability::Durable { Place::Kept } else { Place::Throwaway };
        let home = Home::open(dir, account, place)?;
        stop_left_over(&home);
        home.wipe()?;
        if !data(&home).exists() {
            make(&programs, account, &home, durability)?;
        }
        check(&data(&home), &programs, account)?;
        let port = port.map_or_else(free_port, Ok)?;
        let server = launch(&programs, account, &home, durability, port)?;
        Ok(PrivatePostgres { server, programs, account, durability, port, home })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of one of its databases, for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The folder of the server's programs.
    pub fn bin_dir(&self) -> &Path {
        &self.programs.bin_dir
    }

    pub fn log(&self) -> PathBuf {
        log(&self.home)
    }

    /// How the server ended, if it did on its own.
    pub fn exited(&mut self) -> Option<String> {
        self.server.exited().map(|status| status.to_string())
    }

    /// Cuts the power: `kill -9` of the postmaster and its backends.
    pub fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// `pg_ctl -m immediate`: the server drops everything at once and recovers at its next start.
    pub fn shut_down_immediately(&mut self) -> Result<()> {
        self.server.end(Signal::QUIT)
    }

    /// Starts it again on the same port and data, stopping it first if it runs.
    pub fn restart(&mut self) -> Result<()> {
        self.server.stop()?;
        stop_left_over(&self.home);
        self.server = launch(&self.programs, self.account, &self.home, self.durability, self.port)?;
        Ok(())
    }

    /// Deletes every database and role of a server that was stopped or killed: its next start is like its first.
    pub fn wipe(&mut self) -> Result<()> {
        fs::remove_dir_all(data(&self.home)).context("delete the cluster")?;
        make(&self.programs, self.account, &self.home, self.durability)
    }

    /// Freezes the server and its backends: connections stay open and nothing answers.
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

fn data(home: &Home) -> PathBuf {
    home.path().join("data")
}

fn log(home: &Home) -> PathBuf {
    home.path().join("postgres.log")
}

fn make(
    programs: &PostgresPrograms,
    account: Account,
    home: &Home,
    durability: Durability,
) -> Result<()> {
    let unfinished = home.path().join("data.new");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).context("remove a half-made cluster")?;
    }
    fs::DirBuilder::new().mode(0o700).create(&unfinished).context("make the cluster's folder")?;
    account.own(&unfinished)?;
    let mut initdb = account.command(programs.bin_dir.join("initdb"), home.path());
    initdb
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--pgdata"])
        .arg(&unfinished);
    if durability == Durability::Throwaway {
        initdb.arg("--no-sync");
    }
    finish(&mut initdb, "", "initdb")?;
    if durability == Durability::Durable {
        let mut single = account.command(programs.bin_dir.join("postgres"), home.path());
        single.arg("--single").arg("-D").arg(&unfinished).arg("postgres");
        finish(&mut single, &format!("CREATE DATABASE {DATABASE}\n"), "make the database")?;
    }
    fs::rename(&unfinished, data(home)).context("name the cluster")
}

fn finish(command: &mut Command, input: &str, what: &str) -> Result<()> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| what.to_owned())?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).with_context(|| what.to_owned())?;
    }
    let done = child.wait_with_output().with_context(|| what.to_owned())?;
    if !done.status.success() {
        bail!(
            "{what} failed ({}):\n{}",
            done.status,
            String::from_utf8_lossy(&done.stderr).trim_end()
        );
    }
    Ok(())
}

fn check(data: &Path, programs: &PostgresPrograms, account: Account) -> Result<()> {
    let owner = fs::metadata(data).with_context(|| format!("look at {}", data.display()))?.uid();
    if owner != account.uid() {
        bail!("{} belongs to user {owner}: run as that user, or reset it", data.display());
    }
    let made_by =
        fs::read_to_string(data.join("PG_VERSION")).context("read the cluster's version")?;
    if made_by.trim() != programs.major.to_string() {
        bail!(
            "{} was made by PostgreSQL {}, found {}: reset it",
            data.display(),
            made_by.trim(),
            programs.major
        );
    }
    Ok(())
}

fn launch(
    programs: &PostgresPrograms,
    account: Account,
    home: &Home,
    durability: Durability,
    port: u16,
) -> Result<Server> {
    let data = data(home);
    let mut command = account.command(programs.bin_dir.join("postgres"), home.path());
    command.arg("-D").arg(&data).arg("-p").arg(port.to_string());
    let common = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "timezone=UTC",
        "log_timezone=UTC",
        "jit=off",
    ];
    let own: &[&str] = match durability {
        Durability::Durable => {
            &["fsync=on", "synchronous_commit=on", "full_page_writes=on", "max_connections=200"]
        }
        Durability::Throwaway => &[
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "wal_level=minimal",
            "max_wal_senders=0",
            "autovacuum=off",
            "max_connections=400",
        ],
    };
    for setting in common.iter().chain(own) {
        command.arg("-c").arg(setting);
    }
    let mut server = Server::spawn(command, "PostgreSQL", &log(home), Signal::INT)?;
    server.wait_ready(|pid| {
        let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let mut lines = file.lines();
        let mine = lines.next().is_some_and(|line| line.trim() == pid.to_string());
        mine && lines.nth(6).is_some_and(|line| line.trim() == "ready") // the eighth line is the server's state
    })?;
    Ok(server)
}

/// A server of a killed run still holds the data, or only its lock file is left and its number may be another's by now.
pub(crate) fn stop_left_over(home: &Home) {
    let data = data(home);
    let file = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&file) else { return };
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse().ok()) else { return };
    stop_stale(pid, &data.to_string_lossy(), Signal::INT, Duration::from_secs(10));
    drop(fs::remove_file(&file)); // the server removed it if it was there
}
