//! P3: from the outbox into a stream that is on the disk, and marked as sent.

use std::time::Instant;

use anyhow::{Context, Result};
use bytes::Bytes;
use events::{Pace, Relay, stream_name, subject};
use serde_json::json;
use service::Store;
use sqlx::FromRow;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::SystemClock;
use uuid::Uuid;

use crate::batch::{self, Message};
use crate::facts::CONTEXT;
use crate::figures::{Bound, Figures};
use crate::peers::{self, Peers};
use crate::sizes::Sizes;
use crate::wait::{rate, unsigned, until};
use crate::world::{Database, LOOK, World, fresh_prefix};

const FILLED: &str = "bench_backlog";
const DATABASE: &str = "limit: PostgreSQL alone (dequeue and mark)";
const BATCHES: &str = "limit: atomic batches alone";
const LIMIT: &str = "limit: both, one after the other";
const OURS: &str = "ours: relay";
const GRAPHILE: &str = "peer: graphile-worker";
const PGQUEUER: &str = "peer: pgqueuer";

pub(crate) async fn measure(world: &mut World, sizes: &Sizes, peers: &Peers) -> Result<Figures> {
    say!("\nP3: outbox to stream");
    let mut figures = Figures::of("P3", "Outbox to JetStream (on the disk), marked as sent");
    world.filled(FILLED, sizes.backlog).await?;
    for round in 1..=sizes.rounds {
        say!("  round {round} of {}", sizes.rounds);
        limit(world, sizes, &mut figures).await?;
        ours(world, sizes, &mut figures).await?;
        graphile(world, sizes, peers, &mut figures).await?;
        pgqueuer(world, sizes, peers, &mut figures).await?;
        world.clear_streams().await?;
    }
    world.discard(FILLED).await?;
    figures.ratio("≥ 1.0 of the limit", OURS, LIMIT, Bound::AtLeast(1.0));
    figures.ratio("≥ 2 × graphile-worker", OURS, GRAPHILE, Bound::AtLeast(2.0));
    figures.ratio("≥ 2 × pgqueuer", OURS, PGQUEUER, Bound::AtLeast(2.0));
    figures.setting(
        "ours",
        format!(
            "{} rows of about 400 bytes, the default pace, from the relay's start to the last mark",
            sizes.backlog
        ),
    );
    figures.setting(
        "limit",
        format!("the same rows; {} a statement and a batch, one connection each", batch::MOST),
    );
    figures
        .setting("graphile-worker", format!("{} jobs; {}", sizes.jobs, peers::GRAPHILE_SETTINGS));
    figures.setting("pgqueuer", format!("{} jobs; {}", sizes.jobs, peers::PGQUEUER_SETTINGS));
    figures.note("The limit is 1 / (1 / PostgreSQL alone + 1 / atomic batches alone), of the same round; above 1.0 the two overlap.");
    figures.note("A peer's job publishes one message with a message id, waits for the acknowledgement and is then marked as done by the peer.");
    figures.note("The events (TrainingStarted) are facts alone; one that is also its aggregate's state goes into a second stream besides.");
    Ok(figures)
}

#[derive(Debug, FromRow)]
struct Row {
    event_id: Uuid,
    name: String,
    site: String,
    payload: Vec<u8>,
    #[expect(dead_code, reason = "the relay reads it as well")]
    seq: i64,
    #[expect(dead_code, reason = "the relay reads it as well")]
    traceparent: Option<String>,
    #[expect(dead_code, reason = "the relay reads it as well")]
    created_at: chrono::DateTime<chrono::Utc>,
}

/// Both halves of the relay's work, each alone.
async fn limit(world: &World, sizes: &Sizes, figures: &mut Figures) -> Result<()> {
    let database = world.copy(FILLED).await?;
    let store = database.store(CONTEXT).await?;
    let began = Instant::now();
    let rows = dequeue_and_mark(&store).await?;
    let alone = rate(rows.len(), began.elapsed());
    figures.push(DATABASE, "ev/s", alone);
    figures.count("rows marked by the limit", sizes.backlog as u64, rows.len() as u64);
    store.close().await;
    world.discard(&database.name).await?;

    let prefix = fresh_prefix();
    let messages: Vec<Message> = rows
        .into_iter()
        .map(|row| Message {
            subject: subject(&prefix, CONTEXT, &row.name, &row.site),
            id: row.event_id.to_string(),
            payload: Bytes::from(row.payload),
        })
        .collect();
    let name = stream_name(&prefix, CONTEXT);
    batch::make_stream(&world.client, &name, format!("{prefix}.>")).await?;
    let began = Instant::now();
    batch::publish(&world.client, &messages, 0).await?;
    let batches = rate(messages.len(), began.elapsed());
    figures.push(BATCHES, "ev/s", batches);
    figures.count(
        "messages stored by the limit",
        sizes.backlog as u64,
        world.messages(&name).await,
    );
    figures.push(LIMIT, "ev/s", 1.0 / (1.0 / alone + 1.0 / batches));
    Ok(())
}

/// Reads and marks every row, a thousand at a time, in the order they are sent in; like ours its marks do not wait for the
/// disk.
async fn dequeue_and_mark(store: &Store) -> Result<Vec<Row>> {
    let mut conn = store.session(std::time::Duration::from_mins(1)).await?;
    sqlx::query("SET synchronous_commit = off").execute(&mut conn).await?;
    let most = i64::try_from(batch::MOST).context("a batch's size")?;
    let mut all: Vec<Row> = Vec::new();
    loop {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT seq, event_id, name, site, payload, traceparent, created_at FROM outbox
             WHERE sent_at IS NULL ORDER BY seq LIMIT $1",
        )
        .bind(most)
        .fetch_all(&mut conn)
        .await?;
        if rows.is_empty() {
            conn.close().await?;
            return Ok(all);
        }
        let ids: Vec<Uuid> = rows.iter().map(|row| row.event_id).collect();
        let first = i64::try_from(all.len()).context("a place in the stream")? + 1;
        let places: Vec<i64> = (first..).take(ids.len()).collect();
        sqlx::query(
            "UPDATE outbox SET sent_at = $1, stream_seq = sent.place
             FROM unnest($2::uuid[], $3::bigint[]) AS sent (event_id, place)
             WHERE outbox.event_id = sent.event_id AND outbox.event_id BETWEEN $4 AND $5",
        )
        .bind(SystemClock::system().now())
        .bind(&ids)
        .bind(&places)
        .bind(ids.iter().min())
        .bind(ids.iter().max())
        .execute(&mut conn)
        .await?;
        all.extend(rows);
    }
}

/// The relay on an outbox that was filled before it started.
async fn ours(world: &World, sizes: &Sizes, figures: &mut Figures) -> Result<()> {
    let database = world.copy(FILLED).await?;
    let store = database.store(CONTEXT).await?;
    let prefix = fresh_prefix();
    let name = stream_name(&prefix, CONTEXT);
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let began = Instant::now();
    let relay = Relay::new(world.bus(&prefix), store.clone(), CONTEXT).with_pace(Pace::default());
    running.spawn(relay.run(stop.clone()));
    drained(world, &store, &name, sizes.backlog as u64).await?;
    figures.push(OURS, "ev/s", rate(sizes.backlog, began.elapsed()));
    stop.cancel();
    while let Some(ended) = running.join_next().await {
        ended?;
    }
    check(world, &database, &name, sizes.backlog as u64, figures).await?;
    store.close().await;
    world.discard(&database.name).await
}

/// Waits until the stream holds `count` messages and no row is unsent, looking as little as possible.
pub(crate) async fn drained(world: &World, store: &Store, stream: &str, count: u64) -> Result<()> {
    until("a full stream", LOOK, async || Ok(world.messages(stream).await >= count)).await?;
    let mut conn = store.session(std::time::Duration::from_mins(10)).await?;
    until("an empty outbox", LOOK / 4, async || {
        let unsent: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM outbox WHERE sent_at IS NULL)")
                .fetch_one(&mut conn)
                .await?;
        Ok(!unsent)
    })
    .await?;
    conn.close().await?;
    Ok(())
}

/// Each row is in the stream once: there are as many messages as rows, and each row has a place of its own. A relay
/// whose stream was lost writes an alert of it besides.
pub(crate) async fn check(
    world: &World,
    database: &Database,
    stream: &str,
    count: u64,
    figures: &mut Figures,
) -> Result<()> {
    let places = database
        .number("SELECT count(DISTINCT stream_seq) FROM training.outbox WHERE sent_at IS NOT NULL")
        .await?;
    let alerts =
        database.number("SELECT count(*) FROM training.outbox WHERE name LIKE 'Alert%'").await?;
    let count = count + alerts;
    figures.count("rows with a place of their own in the stream", count, places);
    figures.count("messages in the stream", count, world.messages(stream).await);
    Ok(())
}

async fn graphile(
    world: &World,
    sizes: &Sizes,
    peers: &Peers,
    figures: &mut Figures,
) -> Result<()> {
    let answer =
        peer(world, sizes, figures, "graphile-worker", async |order| peers.graphile(order).await)
            .await?;
    figures.push(GRAPHILE, "ev/s", answer);
    Ok(())
}

async fn pgqueuer(
    world: &World,
    sizes: &Sizes,
    peers: &Peers,
    figures: &mut Figures,
) -> Result<()> {
    let answer =
        peer(world, sizes, figures, "pgqueuer", async |order| peers.pgqueuer(order).await).await?;
    figures.push(PGQUEUER, "ev/s", answer);
    Ok(())
}

/// One peer's round, on a database and a stream of its own; jobs a second.
async fn peer(
    world: &World,
    sizes: &Sizes,
    figures: &mut Figures,
    name: &str,
    work: impl AsyncFnOnce(serde_json::Value) -> Result<serde_json::Value>,
) -> Result<f64> {
    let database = world.bare().await?;
    let prefix = fresh_prefix();
    let stream = stream_name(&prefix, CONTEXT);
    batch::make_stream(&world.client, &stream, format!("{prefix}.>")).await?;
    let order = json!({
        "task": "publish",
        "database": database.url,
        "nats": world.nats.url(),
        "jobs": sizes.jobs,
        "subject": format!("{prefix}.{CONTEXT}.v1.TrainingStarted.site"),
        "body": "x".repeat(400),
        "batch": peers::PGQUEUER_BATCH,
    });
    let answer = work(order).await?;
    let seconds = answer["seconds"].as_f64().context("a peer's time")?;
    let doubled = answer["doubled"].as_i64().map(unsigned).context("a peer's count")?;
    figures.count(&format!("messages of {name}"), sizes.jobs as u64, world.messages(&stream).await);
    figures.count_doubled(&format!("messages of {name}"), doubled);
    world.discard(&database.name).await?;
    Ok(rate(sizes.jobs, std::time::Duration::from_secs_f64(seconds)))
}
