//! The whole system in one process, as `sitepass serve --target all --sandbox` runs it.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use servers::{Signal, free_port, send};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::peers::output;
use crate::wait::until;
use crate::world::{Database, World};

/// The optimised program, beside this one. Builds it when asked to, else `None` when it is not there.
pub(crate) fn program(build: bool) -> Result<Option<PathBuf>> {
    let own = std::env::current_exe().context("find this program")?;
    let program = own.with_file_name("sitepass");
    if build {
        say!("building sitepass (the first time takes minutes)");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--release", "--package", "sitepass"]).current_dir(crate::root());
        // Queries are checked against `.sqlx`, not against a database that happens to be in the environment.
        output(command.env("SQLX_OFFLINE", "true").env_remove("DATABASE_URL"))?;
    }
    Ok(program.is_file().then_some(program))
}

/// A running system; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Sitepass {
    child: Child,
    program: PathBuf,
    environment: Vec<(String, String)>,
    admin: u16,
    log: PathBuf,
}

impl Sitepass {
    /// Migrates `database` and serves from it.
    pub(crate) async fn start(world: &World, database: &Database, program: &Path) -> Result<Self> {
        let admin = free_port()?;
        let environment = environment(world, database, admin)?;
        let mut migrate = Command::new(program);
        migrate.arg("migrate").env_clear().envs(environment.iter().cloned());
        output(&mut migrate)?;
        let log = crate::folder().join("sitepass.log");
        let child = serve(program, &environment, &log)?;
        let started = Self { child, program: program.to_owned(), environment, admin, log };
        started.ready().await?;
        Ok(started)
    }

    async fn ready(&self) -> Result<()> {
        until("sitepass to be ready", Duration::from_millis(2), async || {
            Ok(is_ready(self.admin).await)
        })
        .await
        .with_context(|| format!("see {}", self.log.display()))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with `signal` and starts it again; how long it took from the start until it was ready.
    pub(crate) async fn restart(&mut self, signal: Signal) -> Result<Duration> {
        send(self.child.id(), signal);
        tokio::task::block_in_place(|| self.child.wait())?;
        let began = Instant::now();
        self.child = serve(&self.program, &self.environment, &self.log)?;
        self.ready().await?;
        Ok(began.elapsed())
    }
}

impl Drop for Sitepass {
    fn drop(&mut self) {
        self.child.kill().ok(); // it may have ended by itself
        self.child.wait().ok();
    }
}

fn serve(program: &Path, environment: &[(String, String)], log: &Path) -> Result<Child> {
    let out =
        OpenOptions::new().create(true).append(true).open(log).context("open sitepass's log")?;
    let err = out.try_clone().context("share the log")?;
    Command::new(program)
        .args(["serve", "--target", "all", "--sandbox"])
        .env_clear()
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .context("start sitepass")
}

fn environment(world: &World, database: &Database, admin: u16) -> Result<Vec<(String, String)>> {
    let blobs = crate::folder().join("blobs");
    let gateway = free_port()?;
    let secret = |digit: &str| digit.repeat(64);
    let listen = |port: u16| format!("127.0.0.1:{port}");
    Ok([
        ("SITEPASS_DATABASE_URL", database.url.replace("postgres@", "")),
        ("SITEPASS_MIGRATE_DATABASE_URL", database.url.clone()),
        ("SITEPASS_NATS_URL", world.nats.url()),
        ("SITEPASS_GATEWAY_LISTEN", listen(gateway)),
        ("SITEPASS_DEVICE_LISTEN", listen(free_port()?)),
        ("SITEPASS_SANDBOX_LISTEN", listen(free_port()?)),
        ("SITEPASS_ADMIN_LISTEN", listen(admin)),
        ("SITEPASS_PUBLIC_URL", format!("http://127.0.0.1:{gateway}")),
        ("SITEPASS_FIRST_ADMIN_PASSWORD", "Sitepass-bench-1".to_owned()),
        ("SITEPASS_BLOB_DIR", blobs.display().to_string()),
        (
            "SITEPASS_AUDIT_CHECKPOINT_DIR",
            blobs.with_extension("checkpoints").display().to_string(),
        ),
        ("SITEPASS_CALLER_SECRET", secret("a")),
        ("SITEPASS_TOKEN_SECRET", secret("b")),
        ("SITEPASS_VAULT_SECRET", secret("c")),
        ("SITEPASS_BLOB_SECRET", secret("d")),
        ("SITEPASS_AUDIT_CHECKPOINT_SECRET", secret("e")),
        ("SITEPASS_DOOR_WEBHOOK_SECRET", format!("whsec_{}ERE=", "ERER".repeat(10))),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec())
}

async fn is_ready(port: u16) -> bool {
    let ask = async || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        Ok(&status[9..] == b"200")
    };
    ask().await.unwrap_or(false)
}

/// Restarts with `signal` as often as asked; the median in seconds.
pub(crate) async fn restarts(sitepass: &mut Sitepass, signal: Signal, times: usize) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..times {
        took.push(sitepass.restart(signal).await?.as_secs_f64());
    }
    if took.is_empty() {
        bail!("no restart was asked for");
    }
    Ok(crate::figures::median(&took))
}
