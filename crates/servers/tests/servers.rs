//! The servers are started for real: these tests need PostgreSQL and nats-server on the machine.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use servers::{Durability, PrivateNats, PrivatePostgres, Signal, is_alive, is_listening, send};

/// `PostgreSQL` answers one letter to a request for encryption; a frozen or dead server does not.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let ssl_request = [0, 0, 0, 8, 4, 210, 22, 47];
    let mut answer = [0];
    stream.write_all(&ssl_request).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer[0] == b'N'
}

fn pid_in(file: &Path) -> u32 {
    fs::read_to_string(file).unwrap().lines().next().unwrap().trim().parse().unwrap()
}

#[test]
fn a_durable_postgres_comes_back_after_a_kill_and_stops_when_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let mut postgres = PrivatePostgres::start(dir.path(), Durability::Durable, None).unwrap();
    let port = postgres.port();
    assert!(answers(port));
    assert_eq!(postgres.exited(), None);

    let again = PrivatePostgres::start(dir.path(), Durability::Durable, None).unwrap_err();
    assert!(again.to_string().contains("another run is using"), "{again}");

    postgres.kill().unwrap();
    assert!(!answers(port));
    assert!(postgres.exited().is_some());

    postgres.restart().unwrap();
    assert!(answers(port));
    postgres.pause();
    assert!(!answers(port));
    postgres.resume();
    assert!(answers(port));

    drop(postgres);
    assert!(!is_listening(port));
}

#[test]
fn a_postgres_left_by_a_killed_run_is_stopped_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = PrivatePostgres::start(dir.path(), Durability::Durable, None).unwrap();
    let data = postgres.log().with_file_name("data");
    let pid = pid_in(&data.join("postmaster.pid"));
    let left_over = Orphan::of(postgres, dir.path(), pid);
    assert!(is_alive(pid));

    let next = PrivatePostgres::start(dir.path(), Durability::Durable, None).unwrap();
    assert!(answers(next.port()));
    assert!(!is_alive(pid));
    drop(left_over);
}

/// What a run that was killed leaves: a server that nobody holds, and no lock.
struct Orphan(u32);

impl Orphan {
    fn of(server: PrivatePostgres, dir: &Path, pid: u32) -> Orphan {
        std::mem::forget(server);
        fs::remove_file(dir.join("lock")).unwrap(); // a killed run's lock is free; ours would not be
        Orphan(pid)
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        send(self.0, Signal::KILL);
    }
}

#[test]
fn a_wiped_postgres_has_nothing_of_what_it_held() {
    let dir = tempfile::tempdir().unwrap();
    let mut postgres = PrivatePostgres::start(dir.path(), Durability::Durable, None).unwrap();
    let databases = postgres.log().with_file_name("data").join("base");
    let kept = fs::read_dir(&databases).unwrap().count();
    sql(&postgres, "CREATE DATABASE held");
    assert_eq!(fs::read_dir(&databases).unwrap().count(), kept + 1);
    postgres.kill().unwrap();
    postgres.wipe().unwrap();
    assert_eq!(fs::read_dir(&databases).unwrap().count(), kept);
    postgres.restart().unwrap();
    sql(&postgres, "CREATE DATABASE held");
}

fn sql(postgres: &PrivatePostgres, statement: &str) {
    let mut psql = Command::new(postgres.bin_dir().join("psql"));
    let done = psql.args(["--no-psqlrc", "--command", statement, &postgres.url("sitepass")]);
    assert!(done.output().unwrap().status.success(), "{statement}");
}

#[test]
fn a_throwaway_postgres_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = PrivatePostgres::start(dir.path(), Durability::Throwaway, None).unwrap();
    assert!(answers(postgres.port()));
    let log = postgres.log();
    assert!(log.exists());
    postgres.stop().unwrap();
    assert!(!log.exists());
}

#[test]
fn a_durable_nats_keeps_its_streams_folder_over_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut nats = PrivateNats::start(dir.path(), true, None).unwrap();
    let config = fs::read_to_string(nats.streams().with_file_name("nats.conf")).unwrap();
    assert!(config.contains("sync_interval: always"));
    nats.kill().unwrap();
    assert!(!is_listening(nats.port()));
    assert!(nats.streams().exists());
    nats.restart().unwrap();
    assert!(is_listening(nats.port()));
    let (port, streams) = (nats.port(), nats.streams());
    nats.stop().unwrap();
    assert!(!is_listening(port));
    assert!(streams.exists());
}

#[test]
fn a_throwaway_nats_does_not_wait_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let nats = PrivateNats::start(dir.path(), false, None).unwrap();
    let config = fs::read_to_string(nats.streams().with_file_name("nats.conf")).unwrap();
    assert!(!config.contains("sync_interval"));
    assert!(is_listening(nats.port()));
}

/// Root's server account cannot enter a root's private folder; anybody else's own account can.
#[test]
fn a_folder_out_of_reach_keeps_a_pointer_to_the_data() {
    let private = tempfile::tempdir().unwrap(); // mode 0700
    let dir = private.path().join("inner");
    let first = PrivatePostgres::start(&dir, Durability::Durable, None).unwrap();
    let log = first.log();
    first.stop().unwrap();
    let second = PrivatePostgres::start(&dir, Durability::Durable, None).unwrap();
    assert_eq!(second.log(), log);
    assert!(servers::erase(&dir).unwrap_err().is::<servers::Busy>());
    second.stop().unwrap();
    servers::erase(&dir).unwrap();
    assert!(!log.exists() && !dir.exists());
}
