//! A relay and a consumer in a process of their own, for what only a process shows: its idle cost, and how it
//! comes back when it was killed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use events::{Consumer, Delivery, Failure, Handler, Relay, async_trait};
use servers::{Signal, send};
use service::{Scope, Store, StoreError, Tx};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::facts::{CONTEXT, Facts, at, number};
use crate::world::{Database, READER, World};

/// Between two commands of a load.
pub(crate) const PAUSE: Duration = Duration::from_millis(2);

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    database: String,
    #[arg(long)]
    nats: String,
    #[arg(long)]
    prefix: String,
    /// Commits a fact of this number, and says when it was handled.
    #[arg(long)]
    fact: usize,
    /// Goes on committing the facts that follow, so that a kill meets it at work.
    #[arg(long)]
    load: bool,
}

/// Counts up each event's aggregate and tells the highest number there was. What a process before this one had in hand
/// comes after this one's own first fact, and has lower numbers.
struct Count {
    handled: watch::Sender<Option<usize>>,
}

#[async_trait]
impl Handler for Count {
    fn durable(&self) -> &'static str {
        "reader--resident"
    }

    fn context(&self) -> &'static str {
        CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &["TrainingStarted"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        count(tx, delivery).await?;
        let number = number(&delivery.subject_id);
        self.handled.send_if_modified(|highest| {
            let higher = number > *highest;
            *highest = number.max(*highest);
            higher
        });
        Ok(())
    }
}

/// The effect of one event.
pub(crate) async fn count(tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
    let key = number(&delivery.subject_id).map(|number| number.to_string());
    sqlx::query(
        "INSERT INTO counters (key, events) VALUES ($1, 1)
         ON CONFLICT (key) DO UPDATE SET events = counters.events + excluded.events",
    )
    .bind(key.unwrap_or_default())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The process itself: until SIGTERM.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let nats = service::Nats::connect(async_nats::ConnectOptions::new(), &options.nats);
    let nats = nats.await.context("connect to NATS")?;
    let bus = events::Bus::new(nats, options.prefix.clone());
    let database = Database { url: options.database.clone(), name: String::new() };
    let (writer, reader) = (database.store(CONTEXT).await?, database.store(READER).await?);
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let (handled, mut seen) = watch::channel(None);
    running.spawn(Relay::new(bus.clone(), writer.clone(), CONTEXT).run(stop.clone()));
    running.spawn(Consumer::new(bus, reader, Count { handled }).run(stop.clone()));
    let facts = Facts::new();
    commit(&writer, &facts, options.fact).await?;
    seen.wait_for(|highest| *highest >= Some(options.fact)).await.context("the consumer ended")?;
    say!("handled");
    if options.load {
        let stop = stop.clone();
        let next = options.fact + 1;
        running.spawn(async move {
            for number in next.. {
                if stop.is_cancelled() {
                    return;
                }
                commit(&writer, &facts, number).await.ok(); // what was not committed is not missed
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    terminate.recv().await;
    stop.cancel();
    while let Some(ended) = running.join_next().await {
        ended?;
    }
    Ok(())
}

/// One command: its fact, committed.
pub(crate) async fn commit(store: &Store, facts: &Facts, number: usize) -> Result<(), StoreError> {
    let mut tx = store.begin(Scope::Site(facts.site)).await?;
    events::enqueue(&mut tx, &facts.numbered(number), at()).await?;
    tx.commit().await
}

/// The process as another one sees it; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Resident {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Resident {
    /// Starts one and waits until it has committed and handled `fact`; how long that took.
    pub(crate) async fn start(
        world: &World,
        database: &Database,
        prefix: &str,
        fact: usize,
        load: bool,
    ) -> Result<(Self, Duration)> {
        let began = Instant::now();
        let own = std::env::current_exe().context("find this program")?;
        let mut child = Command::new(own)
            .args(["resident", "--database", &database.url, "--nats", &world.nats.url()])
            .args(["--prefix", prefix, "--fact", &fact.to_string()])
            .args(load.then_some("--load"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .context("start a resident")?;
        let stdout = child.stdout.take().context("its standard output")?;
        let mut resident = Self { child, lines: BufReader::new(stdout).lines() };
        match resident.lines.next_line().await?.as_deref() {
            Some("handled") => Ok((resident, began.elapsed())),
            _ => bail!("a resident ended early ({})", resident.child.wait().await?),
        }
    }

    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill a resident")
    }

    /// Asks it to end and waits for it.
    pub(crate) async fn end(mut self) -> Result<()> {
        send(self.child.id().context("a running resident")?, Signal::TERM);
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("a resident ended badly ({status})");
        }
        Ok(())
    }

    /// Its share of one core, in percent, over `time`.
    pub(crate) async fn cpu(&self, time: Duration) -> Result<f64> {
        cpu(self.child.id().context("a running resident")?, time).await
    }
}

/// A process's share of one core, in percent, over `time`.
pub(crate) async fn cpu(pid: u32, time: Duration) -> Result<f64> {
    let (before, began) = (busy(pid)?, Instant::now());
    tokio::time::sleep(time).await;
    Ok(100.0 * busy(pid)?.saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64())
}

/// What all its threads have run; the scheduler counts it in nanoseconds.
fn busy(pid: u32) -> Result<Duration> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).context("look at a process")?;
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Ok(Duration::from_nanos(nanoseconds.sum()))
}
