//! P5: a consumer that has each event's effect once: inbox and effect in one transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use events::{Consumer, Delivery, Failure, Handler, async_trait, stream_name};
use serde_json::json;
use service::Tx;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::SystemClock;
use uuid::Uuid;

use crate::batch::{self, Message};
use crate::facts::{AGGREGATES, CONTEXT, Facts};
use crate::figures::{Bound, Figures};
use crate::peers::{self, Peers};
use crate::sizes::Sizes;
use crate::wait::{rate, unsigned, until};
use crate::world::{Database, LOOK, READER, World, fresh_prefix};

const LIMIT: &str = "limit: the statement alone";
const OURS: &str = "ours: consumer";
const PGQUEUER: &str = "peer: pgqueuer";
const DURABLE: &str = "reader--count";
/// The most events of one transaction, and of one statement of the limit.
const BATCH: usize = 200;
const COUNTED: &str = "SELECT coalesce(sum(events), 0)::bigint FROM reader.counters";

pub(crate) async fn measure(world: &mut World, sizes: &Sizes, peers: &Peers) -> Result<Figures> {
    say!("\nP5: idempotent consumer");
    let mut figures = Figures::of("P5", "Idempotent consumer: inbox and effect in one transaction");
    for round in 1..=sizes.rounds {
        say!("  round {round} of {}", sizes.rounds);
        let prefix = fresh_prefix();
        let messages = Facts::new().messages(&prefix, sizes.events);
        limit(world, &messages, &mut figures).await?;
        ours(world, &prefix, &messages, &mut figures).await?;
        pgqueuer(world, sizes, peers, &mut figures).await?;
        world.clear_streams().await?;
    }
    figures.ratio("≥ 0.55 of the limit", OURS, LIMIT, Bound::AtLeast(0.55));
    figures.ratio("≥ 5 × pgqueuer", OURS, PGQUEUER, Bound::AtLeast(5.0));
    figures.setting(
        "ours",
        format!("{} events of {AGGREGATES} aggregates from a filled stream, one consumer of one lane, up to {BATCH} a transaction, the default patience; the effect counts up each event's aggregate, in one statement a transaction", sizes.events),
    );
    figures.setting("limit", format!("the same ids and keys, {BATCH} a statement that enters them and counts up what is new, on one connection"));
    figures.setting("pgqueuer", format!("{} jobs, each one statement that inserts its id once and counts up its key, from a pool of 20; {}", sizes.jobs, peers::PGQUEUER_SETTINGS));
    figures.note("Celery, the other peer of the goal, is not run: it needs a broker of its own beside PostgreSQL, and without one it does not do the same work.");
    Ok(figures)
}

/// Inbox and effect in one statement, without a broker.
async fn limit(world: &World, messages: &[Message], figures: &mut Figures) -> Result<()> {
    let database = world.empty().await?;
    let store = database.store(READER).await?;
    let mut conn = store.session(Duration::from_mins(1)).await?;
    let entries: Vec<(Uuid, String)> = messages
        .iter()
        .enumerate()
        .map(|(number, message)| Ok((message.id.parse()?, (number % AGGREGATES).to_string())))
        .collect::<Result<_>>()?;
    let began = Instant::now();
    for part in entries.chunks(BATCH) {
        let (ids, keys): (Vec<Uuid>, Vec<&str>) =
            part.iter().map(|(id, key)| (*id, key.as_str())).unzip();
        sqlx::query(
            "WITH fresh AS (
                 INSERT INTO inbox (consumer, event_id, taken_at)
                 SELECT $1, event_id, $2 FROM unnest($3::uuid[]) AS given (event_id)
                 ON CONFLICT DO NOTHING RETURNING event_id
             )
             INSERT INTO counters (key, events)
             SELECT given.key, count(*) FROM unnest($3::uuid[], $4::text[]) AS given (event_id, key)
             JOIN fresh ON fresh.event_id = given.event_id GROUP BY given.key ORDER BY given.key
             ON CONFLICT (key) DO UPDATE SET events = counters.events + excluded.events",
        )
        .bind(DURABLE)
        .bind(SystemClock::system().now())
        .bind(&ids)
        .bind(&keys)
        .execute(&mut conn)
        .await?;
    }
    figures.push(LIMIT, "ev/s", rate(entries.len(), began.elapsed()));
    figures.count("effects of the limit", entries.len() as u64, database.number(COUNTED).await?);
    conn.close().await?;
    store.close().await;
    world.discard(&database.name).await
}

/// Counts up each event's aggregate.
#[derive(Debug, Clone, Default)]
struct Count {
    handled: Arc<AtomicUsize>,
}

#[async_trait]
impl Handler for Count {
    fn durable(&self) -> &'static str {
        DURABLE
    }

    fn context(&self) -> &'static str {
        CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &["TrainingStarted"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        self.handle_all(tx, std::slice::from_ref(delivery)).await
    }

    async fn handle_all(&self, tx: &mut Tx, deliveries: &[Delivery]) -> Result<(), Failure> {
        let keys: Vec<&str> =
            deliveries.iter().map(|delivery| delivery.subject_id.as_str()).collect();
        sqlx::query(
            "INSERT INTO counters (key, events)
             SELECT key, count(*) FROM unnest($1::text[]) AS given (key) GROUP BY key ORDER BY key
             ON CONFLICT (key) DO UPDATE SET events = counters.events + excluded.events",
        )
        .bind(keys)
        .execute(&mut **tx)
        .await?;
        self.handled.fetch_add(deliveries.len(), Ordering::Relaxed);
        Ok(())
    }

    fn batch(&self) -> usize {
        BATCH
    }
}

/// The consumer on a stream that was filled before it started.
async fn ours(
    world: &World,
    prefix: &str,
    messages: &[Message],
    figures: &mut Figures,
) -> Result<()> {
    let database = world.empty().await?;
    let store = database.store(READER).await?;
    let stream = stream_name(prefix, CONTEXT);
    batch::make_stream(&world.client, &stream, format!("{prefix}.>")).await?;
    batch::publish(&world.client, messages, 0).await?;
    let handler = Count::default();
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let count = messages.len() as u64;
    let began = Instant::now();
    running
        .spawn(Consumer::new(world.bus(prefix), store.clone(), handler.clone()).run(stop.clone()));
    until("all events handled", LOOK / 4, async || {
        Ok(handler.handled.load(Ordering::Relaxed) >= messages.len())
    })
    .await?;
    until("all effects committed", LOOK / 4, async || Ok(database.number(COUNTED).await? >= count))
        .await?;
    figures.push(OURS, "ev/s", rate(messages.len(), began.elapsed()));
    stop.cancel();
    while let Some(ended) = running.join_next().await {
        ended?;
    }
    check(&database, count, figures).await?;
    store.close().await;
    world.discard(&database.name).await
}

/// Each event is in the inbox once and had its effect once.
async fn check(database: &Database, count: u64, figures: &mut Figures) -> Result<()> {
    figures.count("effects", count, database.number(COUNTED).await?);
    figures.count("inbox", count, database.number("SELECT count(*) FROM reader.inbox").await?);
    figures.count(
        "parked events",
        0,
        database.number("SELECT count(*) FROM reader.parked_events").await?,
    );
    Ok(())
}

async fn pgqueuer(
    world: &World,
    sizes: &Sizes,
    peers: &Peers,
    figures: &mut Figures,
) -> Result<()> {
    let database = world.bare().await?;
    let order = json!({
        "task": "effects",
        "database": database.url,
        "jobs": sizes.jobs,
        "keys": AGGREGATES,
        "batch": peers::PGQUEUER_BATCH,
    });
    let answer = peers.pgqueuer(order).await?;
    let seconds = answer["seconds"].as_f64().context("a peer's time")?;
    figures.push(PGQUEUER, "ev/s", rate(sizes.jobs, Duration::from_secs_f64(seconds)));
    let stored = answer["stored"].as_i64().map(unsigned).context("a peer's count")?;
    figures.count("effects of pgqueuer", sizes.jobs as u64, stored);
    world.discard(&database.name).await
}
