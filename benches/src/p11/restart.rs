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
use crate::resident::{PAUSE, Resident};
use crate::sitepass::{Sitepass, restarts};
use crate::sizes::Sizes;
use crate::wait::until;
use crate::world::{Database, World, fresh_prefix};

/// How long a process works before it is ended or killed.
const AT_WORK: Duration = Duration::from_millis(500);
/// More than one process commits.
const FACTS: usize = 1_000_000;

const POSTGRES_ENDED: &str = "PostgreSQL: restart after an orderly end, to a first commit";
const POSTGRES_BARE: &str = "PostgreSQL: bare restart after kill -9, to a first commit";
const POSTGRES_COMMAND: &str = "PostgreSQL: kill -9, to our first committed command";
const POSTGRES_EVENT: &str = "PostgreSQL: kill -9, to our first handled event";
const NATS_ENDED: &str = "NATS: restart after an orderly end, to a first stored message";
const NATS_BARE: &str = "NATS: bare restart after kill -9, to a first stored message";
const NATS_EVENT: &str = "NATS: kill -9, to our first handled event";
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
    let (mut ended, mut killed) = (Vec::new(), Vec::new());
    for _ in 0..sizes.restarts {
        ended.push(postgres_ended(world).await?);
        killed.push(postgres_killed(world, figures).await?);
    }
    let each = |of: fn(&Killed) -> Duration| ms(&killed.iter().map(of).collect::<Vec<_>>());
    figures.show(POSTGRES_ENDED, "ms", ms(&ended));
    figures.push(POSTGRES_BARE, "ms", each(|killed| killed.itself));
    figures.push(POSTGRES_COMMAND, "ms", each(|killed| killed.committed));
    figures.show(POSTGRES_EVENT, "ms", each(|killed| killed.handled));

    let (mut ended, mut bare, mut event) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..sizes.restarts {
        ended.push(nats_ended(world).await?);
        let (itself, handled) = nats_killed(world, figures).await?;
        bare.push(itself);
        event.push(handled);
    }
    figures.show(NATS_ENDED, "ms", ms(&ended));
    figures.push(NATS_BARE, "ms", ms(&bare));
    figures.push(NATS_EVENT, "ms", ms(&event));

    let (bare, killed) = processes(world, sizes, figures).await?;
    figures.push(PROCESS_BARE, "ms", ms(&bare));
    figures.push(PROCESS_KILLED, "ms", ms(&killed));

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
        "PostgreSQL, first committed command ≤ 1.5 × its bare restart after the same kill",
        POSTGRES_COMMAND,
        POSTGRES_BARE,
        most,
    );
    figures.ratio(
        "NATS, first handled event ≤ 1.5 × its bare restart after the same kill",
        NATS_EVENT,
        NATS_BARE,
        most,
    );
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
    figures.setting("bare restart", "until a client that knows nothing of us has a commit, or an acknowledged message in a stream, after the same kill -9: what a server then recovers is its own");
    if !system {
        figures.note("The whole system's restart was not measured: its program was not built.");
    }
}

/// Processes at work, ended and killed by turns: how long the next one took after each.
async fn processes(
    world: &World,
    sizes: &Sizes,
    figures: &mut Figures,
) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let (mut bare, mut killed) = (Vec::new(), Vec::new());
    let database = world.empty().await?;
    let prefix = fresh_prefix();
    let mut facts = (0..).step_by(FACTS);
    let mut next = || facts.next().context("numbers do not end");
    let (mut resident, _) = Resident::start(world, &database, &prefix, next()?, true).await?;
    for _ in 0..sizes.restarts {
        tokio::time::sleep(AT_WORK).await;
        resident.end().await?;
        let (ended, took) = Resident::start(world, &database, &prefix, next()?, true).await?;
        bare.push(took);
        tokio::time::sleep(AT_WORK).await;
        ended.kill().await?;
        let (again, took) = Resident::start(world, &database, &prefix, next()?, true).await?;
        killed.push(took);
        resident = again;
    }
    resident.end().await?;
    // What a killed process had in hand is delivered again after the wait for its acknowledgement.
    let (resident, _) = Resident::start(world, &database, &prefix, next()?, false).await?;
    let written = database.number("SELECT count(*) FROM training.outbox").await?;
    until("every event handled", PAUSE * 50, async || {
        Ok(database.number("SELECT count(*) FROM reader.inbox").await? >= written)
    })
    .await?;
    resident.end().await?;
    let once = database.number("SELECT count(*) FROM reader.counters WHERE events = 1").await?;
    figures.count("effects after kills of a process", written, once);
    world.discard(&database.name).await?;
    Ok((bare, killed))
}

async fn gone(what: &str, mut exited: impl FnMut() -> Option<String>) -> Result<()> {
    until(what, PAUSE, async || Ok(exited().is_some())).await
}

fn pid_in(file: &Path) -> Result<u32> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    text.lines().next().and_then(|line| line.trim().parse().ok()).context("a server's number")
}

/// A restart after an orderly end, with nothing of ours connected.
async fn postgres_ended(world: &mut World) -> Result<Duration> {
    let database = table(world).await?;
    let data = world.postgres.log().with_file_name("data");
    send(pid_in(&data.join("postmaster.pid"))?, Signal::INT);
    gone("PostgreSQL's end", || world.postgres.exited()).await?;
    let began = Instant::now();
    let url = database.url.clone();
    let mut first = first(move || commit(url.clone()));
    block_in_place(|| world.postgres.restart())?;
    let took = first.join_next().await.context("a task of ours")?? - began;
    world.discard(&database.name).await?;
    Ok(took)
}

/// A database with a table that a client which knows nothing of us writes to.
async fn table(world: &World) -> Result<Database> {
    let database = world.bare().await?;
    let mut conn = PgConnection::connect(&database.url).await?;
    sqlx::raw_sql("CREATE TABLE facts (id bigint)").execute(&mut conn).await?;
    conn.close().await?;
    Ok(database)
}

/// When `work` first goes well; it is tried all the time.
fn first<F>(work: impl Fn() -> F + Send + 'static) -> JoinSet<Instant>
where
    F: Future<Output = Result<()>> + Send,
{
    let mut running = JoinSet::new();
    running.spawn(async move {
        while work().await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        Instant::now()
    });
    running
}

async fn commit(url: String) -> Result<()> {
    let mut conn = PgConnection::connect(&url).await?;
    sqlx::query("INSERT INTO facts VALUES (1)").execute(&mut conn).await?;
    Ok(())
}

/// What a kill of PostgreSQL under load costs.
struct Killed {
    /// Until a client that knows nothing of us commits.
    itself: Duration,
    committed: Duration,
    handled: Duration,
}

async fn postgres_killed(world: &mut World, figures: &mut Figures) -> Result<Killed> {
    let database = table(world).await?;
    let load = Load::start(world).await?;
    block_in_place(|| world.postgres.kill())?;
    load.arm();
    let began = Instant::now();
    let url = database.url.clone();
    let mut itself = first(move || commit(url.clone()));
    block_in_place(|| world.postgres.restart())?;
    let killed = Killed {
        itself: itself.join_next().await.context("a task of ours")?? - began,
        committed: load.committed.seen().await? - began,
        handled: load.handled.seen().await? - began,
    };
    load.end(world, figures).await?;
    world.discard(&database.name).await?;
    Ok(killed)
}

/// A restart after an orderly end.
async fn nats_ended(world: &mut World) -> Result<Duration> {
    let subject = fresh_prefix();
    batch::make_stream(&world.client, &subject, format!("{subject}.>")).await?;
    let folder = world.nats.streams();
    send(pid_in(&folder.with_file_name("nats.pid"))?, Signal::TERM);
    gone("NATS's end", || world.nats.exited()).await?;
    let began = Instant::now();
    let url = world.nats.url();
    let mut first = first(move || store(url.clone(), subject.clone()));
    block_in_place(|| world.nats.restart())?;
    let took = first.join_next().await.context("a task of ours")?? - began;
    world.clear_streams().await?;
    Ok(took)
}

/// A first message in a stream, by a client that knows nothing from before.
async fn store(url: String, subject: String) -> Result<()> {
    let client = async_nats::connect(&url).await?;
    let answer = client.request(format!("{subject}.fact"), "x".into()).await?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.payload)?;
    answer["seq"].as_u64().context("an acknowledgement")?;
    Ok(())
}

/// A kill under load: until a client that knows nothing of us stores a message, and until our first handled event.
async fn nats_killed(world: &mut World, figures: &mut Figures) -> Result<(Duration, Duration)> {
    let subject = fresh_prefix();
    batch::make_stream(&world.client, &subject, format!("{subject}.>")).await?;
    let load = Load::start(world).await?;
    block_in_place(|| world.nats.kill())?;
    load.arm();
    let began = Instant::now();
    let url = world.nats.url();
    let mut itself = first(move || store(url.clone(), subject.clone()));
    block_in_place(|| world.nats.restart())?;
    let itself = itself.join_next().await.context("a task of ours")?? - began;
    let handled = load.handled.seen().await? - began;
    load.end(world, figures).await?;
    Ok((itself, handled))
}
