//! Commands that go on whatever is killed, and what became of them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use events::{Consumer, Delivery, Failure, Handler, Relay, async_trait};
use service::Tx;
use sqlx::Connection;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::facts::{CONTEXT, Facts, number};
use crate::figures::Figures;
use crate::resident::{PAUSE, commit, count};
use crate::wait::until;
use crate::world::{Database, LOOK, READER, World, fresh_prefix};

const WRITERS: usize = 4;

/// Notes when something first happened to a number that was drawn after it was armed.
#[derive(Debug, Clone)]
pub(super) struct Probe(Arc<watch::Sender<(usize, Option<Instant>)>>);

impl Probe {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new((usize::MAX, None))))
    }

    fn arm(&self, from: usize) {
        self.0.send_replace((from, None));
    }

    fn note(&self, number: usize) {
        self.0.send_if_modified(|(from, seen)| {
            let first = number >= *from && seen.is_none();
            if first {
                *seen = Some(Instant::now());
            }
            first
        });
    }

    pub(super) async fn seen(&self) -> Result<Instant> {
        let mut watching = self.0.subscribe();
        let seen = tokio::time::timeout(
            Duration::from_mins(2),
            watching.wait_for(|(_, seen)| seen.is_some()),
        );
        let seen = seen.await.context("nothing works again after two minutes")??;
        seen.1.context("waited for")
    }
}

/// A writing service with its relay and a reading one, under a steady load of commands.
pub(super) struct Load {
    pub(super) database: Database,
    pub(super) committed: Probe,
    pub(super) handled: Probe,
    next: Arc<AtomicUsize>,
    acknowledged: Arc<Mutex<Vec<usize>>>,
    writers: JoinSet<()>,
    running: JoinSet<()>,
    writing: CancellationToken,
    stop: CancellationToken,
}

struct Count(Probe);

#[async_trait]
impl Handler for Count {
    fn durable(&self) -> &'static str {
        "reader--recover"
    }

    fn context(&self) -> &'static str {
        CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &["TrainingStarted"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        count(tx, delivery).await?;
        if let Some(number) = number(&delivery.subject_id) {
            self.0.note(number);
        }
        Ok(())
    }
}

impl Load {
    /// Starts everything and waits until a first event went through.
    pub(super) async fn start(world: &World) -> Result<Self> {
        let database = world.empty().await?;
        let prefix = fresh_prefix();
        let (writer, reader) = (database.store(CONTEXT).await?, database.store(READER).await?);
        let (writing, stop) = (CancellationToken::new(), CancellationToken::new());
        let (committed, handled) = (Probe::new(), Probe::new());
        let next = Arc::new(AtomicUsize::new(0));
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let mut running = JoinSet::new();
        running.spawn(Relay::new(world.bus(&prefix), writer.clone(), CONTEXT).run(stop.clone()));
        running.spawn(
            Consumer::new(world.bus(&prefix), reader, Count(handled.clone())).run(stop.clone()),
        );
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let (store, next, acknowledged) =
                (writer.clone(), Arc::clone(&next), Arc::clone(&acknowledged));
            let (committed, writing) = (committed.clone(), writing.clone());
            writers.spawn(async move {
                let facts = Facts::new();
                while !writing.is_cancelled() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    // A command that fails is another one's to repeat; only the acknowledged ones must be found.
                    if commit(&store, &facts, number).await.is_ok() {
                        committed.note(number);
                        acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(number);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        let load = Self {
            database,
            committed,
            handled,
            next,
            acknowledged,
            writers,
            running,
            writing,
            stop,
        };
        load.arm();
        load.handled.seen().await?;
        Ok(load)
    }

    /// From now on the probes look for the first command that begins after this.
    pub(super) fn arm(&self) {
        let from = self.next.load(Ordering::Relaxed);
        self.committed.arm(from);
        self.handled.arm(from);
    }

    /// Ends it, and counts: each acknowledged command has its effect, and none has it twice.
    pub(super) async fn end(mut self, world: &World, figures: &mut Figures) -> Result<()> {
        self.writing.cancel();
        while let Some(ended) = self.writers.join_next().await {
            ended?;
        }
        let acknowledged: HashSet<String> = {
            let numbers = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
            numbers.iter().map(ToString::to_string).collect()
        };
        let database = &self.database;
        until("every event handled", LOOK * 10, async || {
            let written = database.number("SELECT count(*) FROM training.outbox").await?;
            Ok(database.number("SELECT count(*) FROM reader.inbox").await? >= written)
        })
        .await?;
        self.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            ended?;
        }
        let mut conn = world.admin(&database.name).await?;
        let keys: Vec<String> =
            sqlx::query_scalar("SELECT key FROM reader.counters").fetch_all(&mut conn).await?;
        conn.close().await?;
        let keys: HashSet<String> = keys.into_iter().collect();
        let found = acknowledged.intersection(&keys).count();
        figures.count("effects of acknowledged commands", acknowledged.len() as u64, found as u64);
        let doubled =
            database.number("SELECT count(*) FROM reader.counters WHERE events <> 1").await?;
        figures.count_doubled("effects", doubled);
        world.discard(&database.name).await
    }
}
