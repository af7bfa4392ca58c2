//! Restarts: of the servers below a running system, and of processes of ours.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use servers::{Signal, send};
use sqlx::{Connection, PgConnection};
use tokio::task::{JoinSet, block_in_place};

use super::load::Load;
use crate::batch;
use crate::figures::{Bound, Figures, median};
use crate::resident::Resident;
use crate::sitepass::{Sitepass, restarts};
use crate::sizes::Sizes;
use crate::wait::until;
use crate::world::World;

const PAUSE: Duration = Duration::from_millis(2);

const POSTGRES_BARE: &str = "PostgreSQL: bare restart to a first commit";
const POSTGRES_COMMAND: &str = "PostgreSQL: kill -9 to our first committed command";
const POSTGRES_EVENT: &str = "PostgreSQL: kill -9 to our first handled event";
const NATS_BARE: &str = "NATS: bare restart to a first stored message";
const NATS_EVENT: &str = "NATS: kill -9 to our first handled event";
const PROCESS_BARE: &str = "a process of ours: ended, to the first handled event";
const PROCESS_KILLED: &str = "a process of ours: kill -9, to the first handled event";
const SYSTEM_BARE: &str = "the whole system: ended, to ready";
const SYSTEM_KILLED: &str = "the whole system: kill -9, to ready";

pub(super) async fn round(
    world: &mut World,
    sizes: &Sizes,
    sitepass: Option<&Path>,
    figures: &mut Figures,
) -> Result<()> {
    let ms = |took: &[Duration]| {
        median(&took.iter().map(|one| one.as_secs_f64() * 1_000.0).collect::<Vec<_>>())
    };
    let (mut bare, mut command, mut event) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..sizes.restarts {
        bare.push(postgres_bare(world).await?);
        let (committed, handled) = postgres_killed(world, figures).await?;
        command.push(committed);
        event.push(handled);
    }
    figures.push(POSTGRES_BARE, "ms", ms(&bare));
    figures.push(POSTGRES_COMMAND, "ms", ms(&command));
    figures.show(POSTGRES_EVENT, "ms", ms(&event));

    let (mut bare, mut event) = (Vec::new(), Vec::new());
    for _ in 0..sizes.restarts {
        bare.push(nats_bare(world).await?);
        event.push(nats_killed(world, figures).await?);
    }
    figures.push(NATS_BARE, "ms", ms(&bare));
    figures.push(NATS_EVENT, "ms", ms(&event));

    let (mut bare, mut killed) = (Vec::new(), Vec::new());
    let database = world.empty().await?;
    let prefix = world.prefix();
    let (mut resident, _) = Resident::start(world, &database, &prefix, 0).await?;
    for time in 1..=sizes.restarts {
        resident.end().await?;
        let (ended, took) = Resident::start(world, &database, &prefix, time * 2).await?;
        bare.push(took);
        ended.kill().await?;
        let (next, took) = Resident::start(world, &database, &prefix, time * 2 + 1).await?;
        killed.push(took);
        resident = next;
    }
    resident.end().await?;
    figures.push(PROCESS_BARE, "ms", ms(&bare));
    figures.push(PROCESS_KILLED, "ms", ms(&killed));
    world.discard(&database.name).await?;

    let Some(program) = sitepass else { return Ok(()) };
    let database = world.bare().await?;
    let mut system = Sitepass::start(world, &database, program).await?;
    figures.push(
        SYSTEM_BARE,
        "ms",
        restarts(&mut system, Signal::TERM, sizes.restarts).await? * 1_000.0,
    );
    figures.push(
        SYSTEM_KILLED,
        "ms",
        restarts(&mut system, Signal::KILL, sizes.restarts).await? * 1_000.0,
    );
    drop(system);
    world.discard(&database.name).await
}

pub(super) fn goals(figures: &mut Figures, system: bool) {
    let most = Bound::AtMost(1.5);
    figures.ratio(
        "PostgreSQL, first committed command ≤ 1.5 × bare restart",
        POSTGRES_COMMAND,
        POSTGRES_BARE,
        most,
    );
    figures.ratio("NATS, first handled event ≤ 1.5 × bare restart", NATS_EVENT, NATS_BARE, most);
    figures.ratio(
        "a process of ours, first handled event ≤ 1.5 × a restart after it was ended",
        PROCESS_KILLED,
        PROCESS_BARE,
        most,
    );
    if system {
        figures.ratio(
            "the whole system, ready ≤ 1.5 × a restart after it was ended",
            SYSTEM_KILLED,
            SYSTEM_BARE,
            most,
        );
    }
}

pub(super) fn explain(sizes: &Sizes, system: bool, figures: &mut Figures) {
    figures.setting("restarts", format!("a round's figure is the median of {}; each counts from the start of the server or process, after it was gone, and everything looks every {} ms", sizes.restarts, PAUSE.as_millis()));
    figures.setting("kill -9 of a server", "under a load of four writers with relay and consumer, until the first command begun after the kill is committed, or handled");
    figures.setting("bare restart", "the server was asked to end and nothing of ours is connected; until a client's first commit, or first acknowledged message of a stream");
    if !system {
        figures.note("The whole system's restart was not measured: its program was not built.");
    }
}

async fn gone(what: &str, mut exited: impl FnMut() -> Option<String>) -> Result<()> {
    until(what, PAUSE, async || Ok(exited().is_some())).await
}

fn pid_in(file: &Path) -> Result<u32> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    text.lines().next().and_then(|line| line.trim().parse().ok()).context("a server's number")
}

async fn postgres_bare(world: &mut World) -> Result<Duration> {
    let database = world.bare().await?;
    let mut conn = PgConnection::connect(&database.url).await?;
    sqlx::raw_sql("CREATE TABLE facts (id bigint)").execute(&mut conn).await?;
    conn.close().await?;
    let data = world.postgres.log().with_file_name("data");
    send(pid_in(&data.join("postmaster.pid"))?, Signal::INT);
    gone("PostgreSQL's end", || world.postgres.exited()).await?;
    let mut first = JoinSet::new();
    let url = database.url.clone();
    let began = Instant::now();
    first.spawn(async move {
        loop {
            if commit(&url).await.is_ok() {
                return began.elapsed();
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    block_in_place(|| world.postgres.restart())?;
    let took = first.join_next().await.context("a task of ours")??;
    world.discard(&database.name).await?;
    Ok(took)
}

async fn commit(url: &str) -> Result<()> {
    let mut conn = PgConnection::connect(url).await?;
    sqlx::query("INSERT INTO facts VALUES (1)").execute(&mut conn).await?;
    Ok(())
}

async fn postgres_killed(world: &mut World, figures: &mut Figures) -> Result<(Duration, Duration)> {
    let load = Load::start(world).await?;
    block_in_place(|| world.postgres.kill())?;
    load.arm();
    let began = Instant::now();
    block_in_place(|| world.postgres.restart())?;
    let (committed, handled) = (load.committed.seen().await?, load.handled.seen().await?);
    load.end(world, figures).await?;
    Ok((committed - began, handled - began))
}

async fn nats_bare(world: &mut World) -> Result<Duration> {
    let subject = world.prefix();
    batch::make_stream(&world.client, &subject, format!("{subject}.>")).await?;
    let folder = world.nats.streams();
    send(pid_in(&folder.with_file_name("nats.pid"))?, Signal::TERM);
    gone("NATS's end", || world.nats.exited()).await?;
    let mut first = JoinSet::new();
    let url = world.nats.url();
    let began = Instant::now();
    first.spawn(async move {
        loop {
            if store(&url, &subject).await.is_ok() {
                return began.elapsed();
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    block_in_place(|| world.nats.restart())?;
    let took = first.join_next().await.context("a task of ours")??;
    world.clear_streams().await?;
    Ok(took)
}

/// A first message in a stream, by a client that knows nothing from before.
async fn store(url: &str, subject: &str) -> Result<()> {
    let client = async_nats::connect(url).await?;
    let answer = client.request(format!("{subject}.fact"), "x".into()).await?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.payload)?;
    answer["seq"].as_u64().context("an acknowledgement")?;
    Ok(())
}

async fn nats_killed(world: &mut World, figures: &mut Figures) -> Result<Duration> {
    let load = Load::start(world).await?;
    block_in_place(|| world.nats.kill())?;
    load.arm();
    let began = Instant::now();
    block_in_place(|| world.nats.restart())?;
    let handled = load.handled.seen().await?;
    load.end(world, figures).await?;
    Ok(handled - began)
}
