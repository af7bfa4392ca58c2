//! P4: from a commit to the start of the handler, at a steady rate, and what waiting for it costs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use events::{Consumer, Delivery, Failure, Handler, Relay, async_trait};
use futures::StreamExt;
use serde_json::json;
use service::Tx;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::facts::{CONTEXT, Facts, number};
use crate::figures::{Figures, percentile};
use crate::peers::{self, Peers};
use crate::resident::{self, Resident, commit};
use crate::sitepass::Sitepass;
use crate::sizes::Sizes;
use crate::wait::{float, until};
use crate::world::{LOOK, READER, World, fresh_prefix};

/// Connections that commit.
const WRITERS: u32 = 8;
const SETTLE: Duration = Duration::from_secs(2);
const LATENCIES: [(&str, &str); 3] = [
    (
        "limit: sync commit, publish, subscriber, p50",
        "limit: sync commit, publish, subscriber, p99",
    ),
    ("ours: intended time to handler, p50", "ours: intended time to handler, p99"),
    ("peer: graphile-worker, p50", "peer: graphile-worker, p99"),
];
const AFTER_COMMIT: (&str, &str) =
    ("ours: commit's return to handler, p50", "ours: commit's return to handler, p99");
const IDLE: &str = "ours: idle CPU of a relay and a consumer";
const IDLE_ALL: &str = "ours: idle CPU of the whole system in one process";

pub(crate) async fn measure(
    world: &mut World,
    sizes: &Sizes,
    peers: &Peers,
    sitepass: Option<&std::path::Path>,
) -> Result<Figures> {
    say!("\nP4: commit to handler");
    let mut figures = Figures::of("P4", "From a commit to the start of the handler");
    for round in 1..=sizes.rounds {
        say!("  round {round} of {}", sizes.rounds);
        limit(world, sizes, &mut figures).await?;
        ours(world, sizes, &mut figures).await?;
        graphile(world, sizes, peers, &mut figures).await?;
        idle(world, sizes, sitepass, &mut figures).await?;
        world.clear_streams().await?;
    }
    figures.worst("p50 ≤ 3 ms (worst round)", LATENCIES[1].0, 3.0);
    figures.worst("p99 ≤ 20 ms (worst round)", LATENCIES[1].1, 20.0);
    figures.worst("idle CPU of a relay and a consumer ≤ 1 % (worst round)", IDLE, 1.0);
    if sitepass.is_some() {
        figures.worst("idle CPU of the whole system ≤ 1 % (worst round)", IDLE_ALL, 1.0);
    }
    figures.setting("load", format!("open loop, {} events/s for {} s, of which the first second is left out, {WRITERS} connections commit; times count from the instant an event was meant to be committed", sizes.rate, sizes.open_loop.as_secs()));
    figures.setting("ours", "relay and consumer in the process that commits, as in one that serves all; the default pace and patience");
    figures.setting("limit", "one insert committed with fsync, then a publish and a subscriber of core NATS, without a stream");
    figures.setting(
        "graphile-worker",
        format!("add_job in the committed statement, LISTEN/NOTIFY; {}", peers::GRAPHILE_SETTINGS),
    );
    figures.setting(
        "idle",
        format!("CPU time of the process over {} s, in percent of one core", sizes.idle.as_secs()),
    );
    if sitepass.is_none() {
        figures.note("The whole system's idle CPU was not measured: its program was not built.");
    }
    Ok(figures)
}

/// When each event's handler began, in microseconds after `began`.
#[derive(Debug, Clone)]
struct Starts {
    began: Instant,
    at: Arc<Vec<AtomicU64>>,
    doubled: Arc<AtomicU64>,
}

impl Starts {
    fn of(count: usize) -> Self {
        let at = (0..count).map(|_| AtomicU64::new(0)).collect();
        Self { began: Instant::now(), at: Arc::new(at), doubled: Arc::default() }
    }

    fn note(&self, number: usize) {
        let now = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        if let Some(slot) = self.at.get(number)
            && slot.swap(now, Ordering::Relaxed) != 0
        {
            self.doubled.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn seen(&self) -> usize {
        self.at.iter().filter(|slot| slot.load(Ordering::Relaxed) != 0).count()
    }

    /// In milliseconds since another instant of the same event, after the first second.
    fn since(&self, other: impl Fn(usize) -> f64, rate: usize) -> Vec<f64> {
        let all = self.at.iter().enumerate().skip(rate);
        all.map(|(number, slot)| (float(slot.load(Ordering::Relaxed)) - other(number)) / 1_000.0)
            .collect()
    }
}

/// Microseconds after the start at which the event is meant to be committed.
fn intended(number: usize, rate: usize) -> f64 {
    float(number as u64) * 1e6 / float(rate as u64)
}

/// Does `work` for each number at its time, however long the earlier ones take, by as many tasks as commit at once.
async fn open_loop<F>(
    starts: &Starts,
    rate: usize,
    work: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let (due, queue) = mpsc::unbounded_channel();
    let (count, began) = (starts.at.len(), starts.began);
    // A thread of its own: the runtime's timer counts in whole milliseconds.
    let clock = std::thread::spawn(move || {
        for number in 0..count {
            let wait = Duration::from_micros((number * 1_000_000 / rate) as u64)
                .saturating_sub(began.elapsed());
            std::thread::sleep(wait);
            if due.send(number).is_err() {
                return;
            }
        }
    });
    let queue = Arc::new(Mutex::new(queue));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (queue, work) = (Arc::clone(&queue), work.clone());
        writers.spawn(async move {
            loop {
                let next = queue.lock().await.recv().await;
                let Some(number) = next else { return anyhow::Ok(()) };
                work(number).await?;
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    ensure!(clock.join().is_ok(), "the clock's thread panicked");
    Ok(())
}

fn record(
    figures: &mut Figures,
    starts: &Starts,
    names: (&'static str, &'static str),
    rate: usize,
) {
    let took = starts.since(|number| intended(number, rate), rate);
    figures.push(names.0, "ms", percentile(&took, 0.5));
    figures.show(names.1, "ms", percentile(&took, 0.99));
}

fn events_of(sizes: &Sizes) -> usize {
    sizes.rate * usize::try_from(sizes.open_loop.as_secs()).unwrap_or_default()
}

async fn pool(url: &str) -> Result<PgPool> {
    let options = PgPoolOptions::new().min_connections(WRITERS).max_connections(WRITERS);
    options.test_before_acquire(false).connect(url).await.context("connect to PostgreSQL")
}

async fn limit(world: &World, sizes: &Sizes, figures: &mut Figures) -> Result<()> {
    let database = world.bare().await?;
    let pool = pool(&database.url).await?;
    sqlx::raw_sql("CREATE TABLE facts (id bigint PRIMARY KEY, payload bytea NOT NULL)")
        .execute(&pool)
        .await?;
    let subject = fresh_prefix();
    let mut messages = world.client.subscribe(subject.clone()).await?;
    world.client.flush().await?;
    let starts = Starts::of(events_of(sizes));
    let mut subscriber = JoinSet::new();
    let seen = starts.clone();
    subscriber.spawn(async move {
        while let Some(message) = messages.next().await {
            if let Some(number) =
                std::str::from_utf8(&message.payload).ok().and_then(|text| text.parse().ok())
            {
                seen.note(number);
            }
        }
    });
    let (client, inserting) = (world.client.clone(), pool.clone());
    open_loop(&starts, sizes.rate, move |number| {
        let (client, pool, subject) = (client.clone(), inserting.clone(), subject.clone());
        async move {
            sqlx::query("INSERT INTO facts (id, payload) VALUES ($1, $2)")
                .bind(i64::try_from(number)?)
                .bind(vec![7_u8; 400])
                .execute(&pool)
                .await?;
            client.publish(subject, number.to_string().into()).await?;
            Ok(())
        }
    })
    .await?;
    until("all messages", LOOK, async || Ok(starts.seen() == starts.at.len())).await?;
    subscriber.shutdown().await;
    record(figures, &starts, LATENCIES[0], sizes.rate);
    pool.close().await;
    world.discard(&database.name).await
}

async fn ours(world: &World, sizes: &Sizes, figures: &mut Figures) -> Result<()> {
    let database = world.empty().await?;
    let prefix = fresh_prefix();
    let (writer, reader) =
        (database.store_of(CONTEXT, WRITERS).await?, database.store(READER).await?);
    let facts = Facts::new();
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(Relay::new(world.bus(&prefix), writer.clone(), CONTEXT).run(stop.clone()));
    // Both loops stand once a first event went through.
    let warm = Starts::of(1);
    let slot = Arc::new(RwLock::new(warm.clone()));
    running.spawn(
        Consumer::new(world.bus(&prefix), reader.clone(), Begin(Arc::clone(&slot)))
            .run(stop.clone()),
    );
    commit(&writer, &facts, 0).await?;
    until("a first event", LOOK, async || Ok(warm.seen() == 1)).await?;

    let starts = Starts::of(events_of(sizes));
    let committed = Starts { at: Starts::of(events_of(sizes)).at, ..starts.clone() };
    *slot.write().unwrap_or_else(PoisonError::into_inner) = starts.clone();
    let (committing, noting) = (writer.clone(), committed.clone());
    open_loop(&starts, sizes.rate, move |number| {
        let (store, committed) = (committing.clone(), noting.clone());
        async move {
            commit(&store, &facts, number).await?;
            committed.note(number);
            Ok(())
        }
    })
    .await?;
    until("all events", LOOK, async || Ok(starts.seen() == starts.at.len())).await?;
    record(figures, &starts, LATENCIES[1], sizes.rate);
    let returned = |number: usize| float(committed.at[number].load(Ordering::Relaxed));
    let after = starts.since(returned, sizes.rate);
    figures.show(AFTER_COMMIT.0, "ms", percentile(&after, 0.5));
    figures.show(AFTER_COMMIT.1, "ms", percentile(&after, 0.99));
    stop.cancel();
    while let Some(ended) = running.join_next().await {
        ended?;
    }
    let count = starts.at.len() as u64;
    figures.count(
        "events in the inbox",
        count + 1,
        database.number("SELECT count(*) FROM reader.inbox").await?,
    );
    figures.count_doubled("handlers", starts.doubled.load(Ordering::Relaxed));
    writer.close().await;
    reader.close().await;
    world.discard(&database.name).await
}

/// Notes when each event's handler begins and does nothing else. What it notes it in is exchanged once it is warm.
struct Begin(Arc<RwLock<Starts>>);

#[async_trait]
impl Handler for Begin {
    fn durable(&self) -> &'static str {
        "reader--begin"
    }

    fn context(&self) -> &'static str {
        CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &["TrainingStarted"]
    }

    async fn handle(&self, _: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        if let Some(number) = number(&delivery.subject_id) {
            self.0.read().unwrap_or_else(PoisonError::into_inner).note(number);
        }
        Ok(())
    }
}

async fn graphile(
    world: &World,
    sizes: &Sizes,
    peers: &Peers,
    figures: &mut Figures,
) -> Result<()> {
    let database = world.bare().await?;
    let count = events_of(sizes);
    let order = json!({ "task": "listen", "database": database.url, "jobs": count });
    let mut worker = peers.graphile_worker(&order)?;
    ensure!(worker.answer().await?["ready"] == true, "graphile-worker is not ready");
    let pool = pool(&database.url).await?;
    let starts = Starts::of(count);
    let epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .saturating_sub(starts.began.elapsed());
    let (adding, rate) = (pool.clone(), sizes.rate);
    open_loop(&starts, sizes.rate, move |number| {
        let pool = adding.clone();
        let intended_us = epoch.as_secs_f64() * 1e6 + intended(number, rate);
        async move {
            let payload =
                json!({ "id": number, "intended_us": intended_us, "body": "x".repeat(400) });
            sqlx::query("SELECT graphile_worker.add_job('begin', $1::json)")
                .bind(payload.to_string())
                .execute(&pool)
                .await?;
            Ok(())
        }
    })
    .await?;
    let answer = worker.answer().await?;
    let all = answer["latencies_us"].as_array().context("a peer's latencies")?;
    let took: Vec<f64> = all
        .iter()
        .skip(sizes.rate)
        .filter_map(serde_json::Value::as_f64)
        .map(|us| us / 1_000.0)
        .collect();
    figures.push(LATENCIES[2].0, "ms", percentile(&took, 0.5));
    figures.show(LATENCIES[2].1, "ms", percentile(&took, 0.99));
    figures.count("jobs of graphile-worker", (count - sizes.rate) as u64, took.len() as u64);
    pool.close().await;
    world.discard(&database.name).await
}

/// What it costs to wait.
async fn idle(
    world: &World,
    sizes: &Sizes,
    sitepass: Option<&std::path::Path>,
    figures: &mut Figures,
) -> Result<()> {
    let database = world.empty().await?;
    let (resident, _) = Resident::start(world, &database, &fresh_prefix(), 0, false).await?;
    tokio::time::sleep(SETTLE).await;
    figures.show(IDLE, "%", resident.cpu(sizes.idle).await?);
    resident.end().await?;
    world.discard(&database.name).await?;
    let Some(program) = sitepass else { return Ok(()) };
    let database = world.bare().await?;
    let system = Sitepass::start(world, &database, program).await?;
    tokio::time::sleep(SETTLE).await;
    figures.show(IDLE_ALL, "%", resident::cpu(system.pid(), sizes.idle).await?);
    drop(system);
    world.discard(&database.name).await
}
