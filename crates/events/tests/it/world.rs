use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::Subject;
use async_nats::jetstream::{self, stream};
use chrono::{DateTime, Utc};
use events::testing::Halt;
use events::{
    Bus, Consumer, Delivery, Failure, Handler, Pace, Patience, Relay, async_trait, stream_name,
};
use prost::Message;
use prost::bytes::Bytes;
use proto::common::v1::{AlertCleared, AlertRaised};
use proto::training::v1::TrainingStarted;
use service::migrate::migrate;
use service::{Scope, Store, Tx};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use test_support::{Database, Nats, eventually};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::SiteId;

pub(crate) const CONTEXT: &str = "training";

const EFFECTS: &str = "CREATE TABLE effects (id bigint GENERATED ALWAYS AS IDENTITY, event_id uuid NOT NULL, subject text NOT NULL, sites text);
    SELECT protect_global('effects');
    CREATE TABLE newest (subject text PRIMARY KEY, version bigint NOT NULL);
    SELECT protect_global('newest');";

/// A service that publishes, one that reads, and what is between them.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) bus: Bus,
    pub(crate) client: async_nats::Client,
    pub(crate) prefix: String,
    pub(crate) writer: Store,
    pub(crate) reader: Store,
    pub(crate) site: SiteId,
    pub(crate) running: JoinSet<()>,
    pub(crate) stop: CancellationToken,
    /// Takes the streams away at the end.
    pub(crate) nats: Option<Nats>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let nats = Nats::connect().await;
        let mut world = Self::on(nats.url(), nats.prefix.clone()).await;
        world.nats = Some(nats);
        world
    }

    /// With a broker of the test's own.
    pub(crate) async fn on(url: &str, prefix: String) -> Self {
        let nats = service::Nats::connect(async_nats::ConnectOptions::new(), url).await.unwrap();
        let client = nats.client().clone();
        let database = Database::create().await;
        let name = Cow::Borrowed("effects");
        let migrations =
            vec![Migration::new(1001, name, MigrationType::Simple, EFFECTS.into_sql_str(), false)];
        migrate(&database.url(), "reader", &Migrator::with_migrations(migrations)).await.unwrap();
        Self {
            bus: Bus::new(nats, prefix.clone()),
            client,
            prefix,
            writer: database.store(CONTEXT).await,
            reader: database.store("reader").await,
            database,
            site: SiteId::new(),
            running: JoinSet::new(),
            stop: CancellationToken::new(),
            nats: None,
        }
    }

    pub(crate) fn fact(&self, subject: usize, version: usize) -> TrainingStarted {
        TrainingStarted {
            site_id: self.site.to_string(),
            daily_ticket_id: format!("day-{subject}"),
            worker_id: "worker".to_owned(),
            version: u64::try_from(version).unwrap(),
            ..Default::default()
        }
    }

    /// Commits one fact a transaction, each of another aggregate.
    pub(crate) async fn publish(&self, subjects: std::ops::Range<usize>) {
        for subject in subjects {
            let mut tx = self.writer.begin(Scope::Site(self.site)).await.unwrap();
            events::enqueue(&mut tx, &self.fact(subject, 1), at()).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    /// Commits one fact of each aggregate in a single transaction.
    pub(crate) async fn publish_all(&self, subjects: std::ops::Range<usize>) {
        let facts: Vec<_> = subjects.map(|subject| self.fact(subject, 1)).collect();
        let mut tx = self.writer.begin(Scope::Site(self.site)).await.unwrap();
        events::enqueue_all(&mut tx, &facts, at()).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn replica(&self) -> Relay {
        // Another process has another pool.
        let store = self.database.store(CONTEXT).await;
        Relay::new(self.bus.clone(), store, CONTEXT).with_pace(quick())
    }

    /// Starts a relay of another process than the writer's.
    pub(crate) async fn relay(&mut self) {
        let relay = self.replica().await;
        self.running.spawn(relay.run(self.stop.clone()));
    }

    /// Starts one that the writer's commits wake, and holds it at a marked point.
    pub(crate) fn relay_beside(&mut self, halt: &Halt) {
        let relay = Relay::new(self.bus.clone(), self.writer.clone(), CONTEXT);
        let relay = relay.with_pace(quick()).halted(halt.clone());
        self.running.spawn(relay.run(self.stop.clone()));
    }

    pub(crate) fn consumer<H: Handler>(&self, handler: H) -> Consumer<H> {
        Consumer::new(self.bus.clone(), self.reader.clone(), handler).with_patience(patient())
    }

    pub(crate) fn consume<H: Handler>(&mut self, handler: H) {
        let consumer = self.consumer(handler);
        self.running.spawn(consumer.run(self.stop.clone()));
    }

    pub(crate) async fn shut_down(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            ended.unwrap();
        }
    }

    pub(crate) fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.client.clone())
    }

    pub(crate) fn stream_name(&self) -> String {
        stream_name(&self.prefix, CONTEXT)
    }

    /// Makes the stream with hardly a duplicate window, so that message ids alone protect from nothing.
    pub(crate) async fn forgetful_stream(&self) {
        let config = stream::Config {
            name: self.stream_name(),
            subjects: vec![format!("{}.{CONTEXT}.v1.>", self.prefix)],
            duplicate_window: WINDOW,
            ..Default::default()
        };
        self.jetstream().create_stream(config).await.unwrap();
    }

    /// The ids of the outbox in order.
    pub(crate) async fn written(&self) -> Vec<String> {
        self.ids(
            "SELECT event_id::text FROM training.outbox WHERE name NOT LIKE 'Alert%' ORDER BY seq",
        )
        .await
    }

    pub(crate) async fn unsent(&self) -> Vec<String> {
        self.ids("SELECT event_id::text FROM training.outbox WHERE sent_at IS NULL ORDER BY seq")
            .await
    }

    async fn ids(&self, query: &'static str) -> Vec<String> {
        sqlx::query_scalar(query).fetch_all(&self.database.admin()).await.unwrap()
    }

    pub(crate) async fn until_sent(&self) {
        eventually("an empty outbox", async || self.unsent().await.is_empty().then_some(())).await;
    }

    /// The subjects of effects, in the order they happened.
    pub(crate) async fn effects(&self) -> Vec<String> {
        self.ids("SELECT subject FROM reader.effects ORDER BY id").await
    }

    pub(crate) async fn until_effects(&self, count: usize) {
        eventually("effects", async || (self.effects().await.len() >= count).then_some(())).await;
    }

    /// Each of the first `count` subjects had its effect, once.
    pub(crate) async fn assert_effects_once(&self, count: usize) {
        let effects = self.effects().await;
        let expected: BTreeSet<String> =
            (0..count).map(|subject| format!("day-{subject}/worker")).collect();
        assert_eq!(effects.iter().cloned().collect::<BTreeSet<_>>(), expected);
        assert_eq!(effects.len(), count, "an effect happened twice");
    }

    /// What the stream holds, as it was sent.
    pub(crate) async fn published(&self) -> Vec<(Subject, Bytes)> {
        let stream = self.jetstream().get_stream(self.stream_name()).await.unwrap();
        let last = stream.cached_info().state.last_sequence;
        let mut messages = Vec::new();
        for place in 1..=last {
            let message = stream.get_raw_message(place).await.unwrap();
            messages.push((message.subject, message.payload));
        }
        messages
    }

    /// As after a wrong restore: these messages once more.
    pub(crate) async fn publish_again(&self, messages: Vec<(Subject, Bytes)>) {
        for (subject, payload) in messages {
            self.client.publish(subject, payload).await.unwrap();
        }
        self.client.flush().await.unwrap();
    }

    /// What a service told of itself: alerts with their kind and what they are about, and records.
    pub(crate) async fn told(&self, service: &'static str) -> Vec<String> {
        let store = self.database.store(service).await;
        let told = events::testing::outbox(&store).await.into_iter();
        told.map(|(name, data)| match name.as_str() {
            "AlertRaised" => {
                let AlertRaised { kind, about, .. } = AlertRaised::decode(data.as_slice()).unwrap();
                format!("{name} {kind} {about}")
            }
            "AlertCleared" => {
                let AlertCleared { kind, about, .. } =
                    AlertCleared::decode(data.as_slice()).unwrap();
                format!("{name} {kind} {about}")
            }
            _ => name,
        })
        .collect()
    }

    /// Waits until a relay has asked for the lead in vain.
    pub(crate) async fn until_one_stands_by(&self) {
        eventually("a relay that stands by", async || {
            let asked: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                     AND state = 'idle' AND query LIKE 'SELECT pg_try_advisory_lock%')",
            )
            .fetch_one(&self.database.admin())
            .await
            .unwrap();
            asked.then_some(())
        })
        .await;
    }

    pub(crate) async fn epoch(&self) -> i64 {
        let epochs: Vec<i64> = sqlx::query_scalar("SELECT epoch FROM training.relay_state")
            .fetch_all(&self.database.admin())
            .await
            .unwrap();
        epochs.first().copied().unwrap_or_default()
    }
}

/// How long [`World::forgetful_stream`] remembers an id.
const WINDOW: Duration = Duration::from_secs(1);

/// Waits until a forgetful stream remembers no id any more.
pub(crate) async fn until_forgotten() {
    let started = Instant::now();
    eventually("the duplicate window to pass", async || {
        (started.elapsed() > WINDOW * 5 / 4).then_some(())
    })
    .await;
}

pub(crate) fn at() -> DateTime<Utc> {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

pub(crate) fn quick() -> Pace {
    Pace {
        poll: Duration::from_millis(20),
        confirmation: Duration::from_secs(1),
        ..Pace::default()
    }
}

pub(crate) fn patient() -> Patience {
    Patience {
        delays: vec![Duration::from_millis(10); 2],
        idle: Duration::from_millis(100),
        ack_wait: Duration::from_mins(1),
        ..Patience::default()
    }
}

/// Writes a row for each event and keeps the newest version of each subject.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    /// Subjects it fails on, and how.
    pub(crate) fails: Arc<Mutex<Vec<(String, &'static str)>>>,
    /// Whether it reads what the events say.
    pub(crate) decodes: bool,
    /// The most events of one transaction; 0 for the usual.
    pub(crate) batch: usize,
    pub(crate) lanes: usize,
}

impl Recorder {
    pub(crate) fn failing(fails: &[(usize, &'static str)]) -> Self {
        let fails =
            fails.iter().map(|(subject, how)| (format!("day-{subject}/worker"), *how)).collect();
        Self { fails: Arc::new(Mutex::new(fails)), ..Self::default() }
    }

    pub(crate) fn decoding() -> Self {
        Self { decodes: true, ..Self::default() }
    }

    pub(crate) fn alone() -> Self {
        Self { batch: 1, ..Self::default() }
    }
}

#[async_trait]
impl Handler for Recorder {
    fn durable(&self) -> &'static str {
        "reader--record"
    }

    fn context(&self) -> &'static str {
        CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &["TrainingStarted"]
    }

    fn batch(&self) -> usize {
        if self.batch == 0 { 100 } else { self.batch }
    }

    fn lanes(&self) -> usize {
        self.lanes.max(1)
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        if self.decodes {
            delivery.decode::<TrainingStarted>()?;
        }
        sqlx::query("INSERT INTO effects (event_id, subject, sites) VALUES ($1, $2, current_setting('app.sites', true))")
            .bind(delivery.id.as_uuid())
            .bind(&delivery.subject_id)
            .execute(&mut **tx)
            .await?;
        sqlx::query(
            "INSERT INTO newest (subject, version) VALUES ($1, $2)
             ON CONFLICT (subject) DO UPDATE SET version = greatest(newest.version, excluded.version)",
        )
        .bind(&delivery.subject_id)
        .bind(i64::try_from(delivery.version).unwrap())
        .execute(&mut **tx)
        .await?;
        let how = {
            let fails = self.fails.lock().unwrap();
            fails.iter().find(|(subject, _)| *subject == delivery.subject_id).map(|(_, how)| *how)
        };
        match how {
            None => Ok(()),
            Some("retry") => Err(Failure::Retry("not now".to_owned())),
            Some("once") if delivery.attempt > 1 => Ok(()),
            Some("once") => Err(Failure::Retry("not at first".to_owned())),
            Some("first") => {
                self.fails.lock().unwrap().retain(|(subject, _)| *subject != delivery.subject_id);
                Err(Failure::Retry("not this time".to_owned()))
            }
            Some("panic") => panic!("poisoned"),
            Some("swallow") => {
                sqlx::query("SELECT 1 / 0").execute(&mut **tx).await.unwrap_err();
                Ok(())
            }
            Some(_) => Err(Failure::Park("never".to_owned())),
        }
    }
}

pub(crate) async fn consumer_info(world: &World) -> Option<jetstream::consumer::Info> {
    let stream = world.jetstream().get_stream(world.stream_name()).await.ok()?;
    stream.consumer_info("reader--record").await.ok()
}

pub(crate) async fn until_acknowledged(world: &World) {
    eventually("acknowledgements", async || {
        let info = consumer_info(world).await?;
        (info.num_ack_pending == 0 && info.num_pending == 0).then_some(())
    })
    .await;
}
