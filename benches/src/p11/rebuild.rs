//! A stream that is gone is written again from the outbox.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use events::{Relay, stream_name};
use tokio::task::{JoinSet, block_in_place};
use tokio_util::sync::CancellationToken;
use types::EventId;

use crate::batch::{self, Message};
use crate::facts::{CONTEXT, Facts};
use crate::figures::Figures;
use crate::p3::{check, drained};
use crate::sizes::Sizes;
use crate::wait::{float, rate, until};
use crate::world::{Database, World, fresh_prefix};

pub(super) const BATCHES: &str = "rebuilding, limit: atomic batches alone";
pub(super) const OURS: &str = "rebuilding, ours: relay";
const OURS_BYTES: &str = "rebuilding, ours: payload";
const FILLED: &str = "bench_rebuilt";
/// Different payloads among the limit's messages; each message has an id of its own.
const PAYLOADS: usize = 10_000;

pub(super) async fn measure(world: &mut World, sizes: &Sizes, figures: &mut Figures) -> Result<()> {
    say!("  filling an outbox with {} events and sending them", sizes.rebuilt);
    let database = world.filled(FILLED, sizes.rebuilt).await?;
    let prefix = fresh_prefix();
    let count = sizes.rebuilt as u64;
    relay_all(world, &database, &prefix, count).await?;
    let bytes = database.number("SELECT sum(length(payload))::bigint FROM training.outbox").await?;
    let megabytes = float(bytes) / 1e6;
    for round in 1..=sizes.rounds {
        say!("  rebuilding: round {round} of {}", sizes.rounds);
        limit(world, sizes.rebuilt, figures).await?;
        wipe(world).await?;
        let took = relay_all(world, &database, &prefix, count).await?;
        figures.push(OURS, "ev/s", rate(sizes.rebuilt, took));
        figures.show(OURS_BYTES, "MB/s", megabytes / took.as_secs_f64());
        check(world, &database, &stream_name(&prefix, CONTEXT), count, figures).await?;
    }
    world.clear_streams().await?;
    world.discard(FILLED).await
}

/// Runs the relay until the stream holds all; how long that took.
async fn relay_all(
    world: &World,
    database: &Database,
    prefix: &str,
    count: u64,
) -> Result<Duration> {
    let store = database.store(CONTEXT).await?;
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let began = Instant::now();
    running.spawn(Relay::new(world.bus(prefix), store.clone(), CONTEXT).run(stop.clone()));
    drained(world, &store, &stream_name(prefix, CONTEXT), count).await?;
    let took = began.elapsed();
    stop.cancel();
    while let Some(ended) = running.join_next().await {
        ended?;
    }
    store.close().await;
    Ok(took)
}

/// Kills NATS and removes all it has stored.
async fn wipe(world: &mut World) -> Result<()> {
    block_in_place(|| -> Result<()> {
        world.nats.kill()?;
        for entry in
            std::fs::read_dir(world.nats.streams()).context("look at the streams")?.flatten()
        {
            std::fs::remove_dir_all(entry.path()).context("remove the streams")?;
        }
        world.nats.restart()
    })?;
    until("NATS to be reached again", Duration::from_millis(20), async || {
        Ok(async_nats::jetstream::new(world.client.clone()).query_account().await.is_ok())
    })
    .await
}

async fn limit(world: &World, count: usize, figures: &mut Figures) -> Result<()> {
    let prefix = fresh_prefix();
    let payloads = Facts::new().messages(&prefix, count.min(PAYLOADS));
    let name = stream_name(&prefix, CONTEXT);
    batch::make_stream(&world.client, &name, format!("{prefix}.>")).await?;
    let mut expected = 0;
    let mut took = Duration::ZERO;
    for first in (0..count).step_by(PAYLOADS) {
        let part: Vec<Message> = payloads
            .iter()
            .take(count - first)
            .map(|message| Message { id: EventId::new().to_string(), ..message.clone() })
            .collect();
        let began = Instant::now();
        expected = batch::publish(&world.client, &part, expected).await?;
        took += began.elapsed();
    }
    figures.push(BATCHES, "ev/s", rate(count, took));
    figures.count("messages stored by the limit", count as u64, world.messages(&name).await);
    world.clear_streams().await
}
