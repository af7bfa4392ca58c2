//! `cargo demo`: everything on this machine, and a site's day played on it.

mod backing;
pub(crate) mod ports;
mod secrets;
pub(crate) mod sitepass;

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cargo::{OWN_KEYS, built, cargo};
use crate::child::{run_program, run_while};
use crate::demo::backing::Backing;
use crate::demo::ports::{DEMO_PASSWORD, Ports};
use crate::demo::sitepass::Sitepass;
use crate::stop::Stop;

const FOLDERS: [(&str, &str); 2] =
    [("SITEPASS_BLOB_DIR", "blobs"), ("SITEPASS_AUDIT_CHECKPOINT_DIR", "checkpoints")];

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Plays, checks that every step was seen to happen, and stops.
    #[arg(long, conflicts_with = "no_play")]
    once: bool,
    /// Starts and seeds only, and prints `ready`.
    #[arg(long)]
    no_play: bool,
    /// The gateway's port; devices get the next one, the sandbox this + 10, metrics and health this + 20.
    #[arg(long, value_name = "N", default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..=65_515))]
    base_port: u16,
    /// Forgets the data and secrets of earlier runs first.
    #[arg(long)]
    reset: bool,
}

pub(crate) fn run(stop: &Stop, options: &Options) -> Result<()> {
    let state = servers::state_dir();
    fs::create_dir_all(&state).with_context(|| format!("create {}", state.display()))?;
    let _lock = only_one(&state)?;
    let ports = Ports::from(options.base_port);
    sitepass::stop_left_over(&state);
    ports.check_free()?;
    if options.reset {
        reset(&state)?;
    }

    let mut backing = step("PostgreSQL and NATS", || Backing::start(&state))?;
    say!("    {backing}");
    step("build (the first time takes minutes)", || {
        run_program(stop, &mut cargo(["build", "--package", "sitepass", "--package", "fleet"]))
    })?;
    let mut environment = secrets::read_or_make(&state.join("secrets.env"))?;
    environment.extend(backing.settings());
    environment.extend(ports.settings());
    environment.extend(folders(&state));
    step("migrate", || {
        let mut migrate = program("sitepass")?;
        migrate
            .arg("migrate")
            .envs(environment.iter().cloned())
            .stdout(sitepass::log(&state, "migrate")?);
        run_program(stop, &mut migrate)
    })?;
    let mut sitepass = step("sitepass serve --target all --sandbox", || {
        let mut serve = program("sitepass")?;
        serve.args(["serve", "--target", "all", "--sandbox"]).envs(environment.iter().cloned());
        let mut sitepass = Sitepass::start(serve, &state)?;
        sitepass.wait_ready(stop, ports.metrics())?;
        Ok(sitepass)
    })?;
    let outcome = play(stop, options, ports, &mut backing, &mut sitepass);
    say!("==> stopping");
    let stopped = sitepass.stop();
    drop(backing);
    outcome.and(stopped)
}

fn play(
    stop: &Stop,
    options: &Options,
    ports: Ports,
    backing: &mut Backing,
    sitepass: &mut Sitepass,
) -> Result<()> {
    let mut alive = || backing.check().and_then(|()| sitepass.check());
    step("seed", || {
        run_while(stop, fleet("seed", ports)?.stdout(std::process::Stdio::null()), &mut alive)
    })?;
    if !options.no_play {
        let mut day = fleet("play", ports)?;
        if options.once {
            day.arg("--check");
        }
        step("a day on the site", || run_while(stop, &mut day, &mut alive))?;
    }
    if options.once {
        return Ok(());
    }
    say!("\n{ports}\n");
    say!(
        "Accounts: admin, contractor; password {DEMO_PASSWORD}. Logs: .sitepass/logs/sitepass.log. Ctrl-C stops everything."
    );
    if options.no_play {
        say!("ready");
    }
    while stop.tick().is_ok() {
        alive()?;
    }
    Ok(())
}

fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say!("==> {name}");
    let start = Instant::now();
    let done = work().with_context(|| name.to_owned())?;
    say!("    {:.1} s", start.elapsed().as_secs_f64());
    Ok(done)
}

/// A program of this workspace without the settings that are only for xtask.
pub(crate) fn program(name: &str) -> Result<Command> {
    let mut command = Command::new(built(name)?);
    command.current_dir(crate::cargo::root());
    for key in OWN_KEYS {
        command.env_remove(key);
    }
    Ok(command)
}

fn fleet(what: &str, ports: Ports) -> Result<Command> {
    let mut command = program("fleet")?;
    command.arg(what);
    for (flag, port) in [
        ("--gateway", ports.gateway()),
        ("--sandbox", ports.sandbox()),
        ("--device", ports.device()),
    ] {
        command.arg(flag).arg(ports::url(port));
    }
    Ok(command)
}

fn only_one(state: &Path) -> Result<File> {
    let lock = File::create(state.join("demo.lock")).context("make the demo's lock")?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            bail!("a demo of this workspace is running already: stop it first")
        }
        Err(TryLockError::Error(err)) => Err(err).context("take the demo's lock"),
    }
}

/// Settings of what is kept beside the database.
pub(crate) fn folders(state: &Path) -> impl Iterator<Item = (String, String)> {
    let folder = |folder| state.join(folder).display().to_string();
    FOLDERS.into_iter().map(move |(key, name)| (key.to_owned(), folder(name)))
}

/// What is kept beside a database that is no more: to the next one it would be a past that was taken away.
pub(crate) fn forget_folders(state: &Path) -> Result<()> {
    forget(state, FOLDERS.map(|(_, name)| name))
}

fn forget<const N: usize>(state: &Path, names: [&str; N]) -> Result<()> {
    for name in names {
        if state.join(name).exists() {
            fs::remove_dir_all(state.join(name)).with_context(|| format!("remove {name}"))?;
        }
    }
    Ok(())
}

fn reset(state: &Path) -> Result<()> {
    say!("==> forgetting earlier runs");
    for server in ["postgres", "nats"] {
        servers::erase(&state.join(server))?;
    }
    forget_folders(state)?;
    forget(state, ["logs"])?;
    let secrets = state.join("secrets.env");
    if secrets.exists() {
        fs::remove_file(secrets).context("remove the secrets")?;
    }
    Ok(())
}
