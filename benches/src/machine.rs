//! The machine and the programs, as far as figures depend on them.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;
use sqlx::Connection;

use crate::figures::{digits, percentile};
use crate::peers::{Peers, output};
use crate::world::World;

/// Writes of one block that are waited for.
const SYNCS: usize = 300;
/// Bytes that another thread answers.
const HAND_OVERS: usize = 20_000;

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// The day it was measured on.
    pub(crate) day: String,
    pub(crate) commit: String,
    pub(crate) hardware: Vec<(String, String)>,
    pub(crate) programs: Vec<(String, String)>,
    pub(crate) postgres_settings: Vec<(String, String)>,
    pub(crate) nats_settings: String,
}

impl Machine {
    pub(crate) fn summary(&self) -> String {
        let parts: Vec<String> = self
            .hardware
            .iter()
            .chain(&self.programs)
            .map(|(what, value)| format!("{what} {value}"))
            .collect();
        parts.join(", ")
    }
}

/// Looks at everything once, the disk included.
pub(crate) async fn describe(world: &mut World, peers: &Peers) -> Result<Machine> {
    let mut conn = world.admin("postgres").await?;
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut conn).await?;
    let postgres_settings: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, setting || coalesce(' ' || unit, '') FROM pg_settings
         WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_level', 'shared_buffers',
             'max_wal_size', 'checkpoint_timeout', 'max_connections', 'autovacuum', 'jit', 'wal_sync_method')
         ORDER BY name",
    )
    .fetch_all(&mut conn)
    .await?;
    conn.close().await?;
    let command = |program: &str, args: &[&str]| {
        output(std::process::Command::new(program).args(args).current_dir(crate::root()))
    };
    let mut programs = vec![
        ("PostgreSQL".to_owned(), version),
        ("NATS".to_owned(), world.client.server_info().version),
        ("rustc".to_owned(), command("rustc", &["--version"])?),
    ];
    programs.extend(peers.versions.iter().cloned());
    Ok(Machine {
        day: types::SystemClock::system().now().date_naive().to_string(),
        // An archive has no history.
        commit: command("git", &["rev-parse", "--short", "HEAD"])
            .unwrap_or_else(|_| "?".to_owned()),
        hardware: hardware(&world.nats.streams())?,
        programs,
        postgres_settings,
        nats_settings: "file storage, sync_interval: always".to_owned(),
    })
}

fn hardware(folder: &Path) -> Result<Vec<(String, String)>> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes: Option<u64> = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let (half, most) = sync_latency(folder)?;
    let (there_and_back, slowest) = hand_over()?;
    Ok([
        ("CPU", model.trim_start_matches([' ', '\t', ':']).to_owned()),
        ("cores", cores.to_string()),
        ("memory", format!("{} GiB", kilobytes.unwrap_or_default() >> 20)),
        ("kernel", kernel.trim().to_owned()),
        ("load average at the start", load.join(" ")),
        (
            "disk: 4 KiB written and synchronised",
            format!("p50 {} ms, p99 {} ms", digits(half), digits(most)),
        ),
        (
            "a byte to another thread and back, through the kernel",
            format!("p50 {} ms, p99 {} ms", digits(there_and_back), digits(slowest)),
        ),
    ]
    .map(|(what, value)| (what.to_owned(), value))
    .to_vec())
}

/// Milliseconds at p50 and p99 until a block is on the disk that the servers write to.
fn sync_latency(folder: &Path) -> Result<(f64, f64)> {
    let path = folder.with_file_name("sync-probe");
    let mut file = File::create(&path).context("make a file to synchronise")?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.seek(SeekFrom::Start(0))?;
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    fs::remove_file(&path)?;
    Ok((percentile(&took, 0.5), percentile(&took, 0.99)))
}

/// Milliseconds at p50 and p99 until another thread was woken by a byte and has answered it: what each step between
/// processes costs before any work is done.
fn hand_over() -> Result<(f64, f64)> {
    let (mut here, mut there) = UnixStream::pair().context("make a pair of sockets")?;
    let answering = std::thread::spawn(move || {
        let mut byte = [0];
        while there.read_exact(&mut byte).is_ok() && there.write_all(&byte).is_ok() {}
    });
    let mut took = Vec::with_capacity(HAND_OVERS);
    let mut byte = [7];
    for _ in 0..HAND_OVERS {
        let began = Instant::now();
        here.write_all(&byte)?;
        here.read_exact(&mut byte)?;
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    drop(here);
    answering.join().ok().context("the answering thread panicked")?;
    Ok((percentile(&took, 0.5), percentile(&took, 0.99)))
}
