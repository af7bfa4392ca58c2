//! Looking at and signalling processes, whoever started them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

struct Seen {
    parent: u32,
    dead: bool,
    paused: bool,
}

/// Sends `signal`; a process that is no longer there is not an error.
pub fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok(); // gone already: nothing to do
    }
}

/// Whether the process runs; a dead one that its parent has not collected does not.
pub fn is_alive(pid: u32) -> bool {
    all().get(&pid).is_some_and(|seen| !seen.dead)
}

/// Whether the process is there and was stopped by a signal, as [`Signal::STOP`] does.
pub fn is_paused(pid: u32) -> bool {
    all().get(&pid).is_some_and(|seen| seen.paused)
}

/// Stops what an earlier, killed run left behind: the process of `pid` when its command line holds `mark`. Asks it to
/// end, waits `patience`, then kills it with its children. Says whether there was one.
pub fn stop_stale(pid: u32, mark: &str, gentle: Signal, patience: Duration) -> bool {
    if !is_alive(pid) || !command_line(pid).contains(mark) {
        return false;
    }
    let family = family(pid);
    send(pid, gentle);
    if !wait_gone(&family, patience) {
        for member in &family {
            send(*member, Signal::KILL);
        }
        wait_gone(&family, Duration::from_secs(10));
    }
    true
}

/// The process and all that descends from it, itself first.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let all = all();
    let mut family = vec![pid];
    let mut next = 0;
    while next < family.len() {
        let parent = family[next];
        family.extend(
            all.iter().filter(|(_, seen)| seen.parent == parent && !seen.dead).map(|(pid, _)| *pid),
        );
        next += 1;
    }
    family
}

/// Waits until none of them runs; false when `limit` passed first.
pub(crate) fn wait_gone(pids: &[u32], limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        let all = all();
        if !pids.iter().any(|pid| all.get(pid).is_some_and(|seen| !seen.dead)) {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn command_line(pid: u32) -> String {
    if let Ok(bytes) = fs::read(format!("/proc/{pid}/cmdline")) {
        return String::from_utf8_lossy(&bytes).replace('\0', " ");
    }
    output(Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]))
}

fn all() -> BTreeMap<u32, Seen> {
    if Path::new("/proc/self/stat").exists() { from_proc() } else { from_ps() }
}

fn from_proc() -> BTreeMap<u32, Seen> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name in parentheses may itself hold spaces and parentheses: read behind the last one.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let state = fields.next()?;
            Some((
                pid,
                Seen {
                    parent: fields.next()?.parse().ok()?,
                    dead: matches!(state, "Z" | "X"),
                    paused: state == "T",
                },
            ))
        })
        .collect()
}

fn from_ps() -> BTreeMap<u32, Seen> {
    output(Command::new("ps").args(["-axo", "pid=,ppid=,stat="]))
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let pid = fields.next()?.parse().ok()?;
            let parent = fields.next()?.parse().ok()?;
            let state = fields.next()?;
            let (dead, paused) = (state.starts_with('Z'), state.starts_with('T'));
            Some((pid, Seen { parent, dead, paused }))
        })
        .collect()
}

fn output(command: &mut Command) -> String {
    command
        .output()
        .map(|done| String::from_utf8_lossy(&done.stdout).into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_process_is_seen_as_gone_before_its_parent_collects_it() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(is_alive(child.id()));
        assert!(family(std::process::id()).contains(&child.id()));
        send(child.id(), Signal::KILL);
        assert!(wait_gone(&[child.id()], Duration::from_secs(5)));
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_is_not_ours_is_left_alone() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(!stop_stale(child.id(), "postgres", Signal::TERM, Duration::from_secs(1)));
        assert!(is_alive(child.id()));
        assert!(stop_stale(child.id(), "sleep 600", Signal::TERM, Duration::from_secs(5)));
        child.wait().unwrap();
    }
}
