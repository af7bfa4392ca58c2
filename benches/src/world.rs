//! The servers that are measured with, and the databases and streams on them.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use auth::CallerKeys;
use events::Bus;
use servers::{Durability, PrivateNats, PrivatePostgres};
use service::config::DatabaseConfig;
use service::grpc::Peers;
use service::health::Health;
use service::migrate::migrate;
use service::{Scope, Shell, Store, Tasks};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqlSafeStr};
use types::{EventId, SiteClock, SystemClock};

use crate::facts::{CONTEXT, Facts, at};

/// The schema of the service that takes events in.
pub(crate) const READER: &str = "reader";
const EMPTY: &str = "bench_empty";
/// Rows written by one statement when an outbox is filled.
const CHUNK: usize = 1_000;

const EFFECTS: &str = "
    CREATE TABLE counters (key text PRIMARY KEY, events bigint NOT NULL) WITH (fillfactor = 70);
    SELECT protect_global('counters');";

/// A PostgreSQL whose commits and a NATS whose acknowledgements are on the disk. Dropping it stops both.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) postgres: PrivatePostgres,
    pub(crate) nats: PrivateNats,
    pub(crate) client: async_nats::Client,
    pub(crate) connection: service::Nats,
}

impl World {
    /// Starts both with empty folders and makes the database that all others are copied from.
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let tell = |line: &str| say!("{line}");
        servers::ensure_postgres(tell)?;
        servers::ensure_nats(tell)?;
        erase(folder)?;
        say!("starting PostgreSQL and NATS");
        let postgres = PrivatePostgres::start(&folder.join("postgres"), Durability::Durable, None)?;
        let nats = PrivateNats::start(&folder.join("nats"), true, None)?;
        let (url, options) = (nats.url(), async_nats::ConnectOptions::new());
        let connection = service::Nats::connect(options, &url).await.context("connect to NATS")?;
        let client = connection.client().clone();
        let world = Self { postgres, nats, client, connection };
        world.run(&format!("CREATE DATABASE {EMPTY}")).await?;
        let none = Migrator::with_migrations(vec![]);
        migrate(&world.postgres.url(EMPTY), CONTEXT, &none).await.context("migrate")?;
        let effects = Migration::new(
            1001,
            Cow::Borrowed("effects"),
            MigrationType::Simple,
            EFFECTS.into_sql_str(),
            false,
        );
        migrate(&world.postgres.url(EMPTY), READER, &Migrator::with_migrations(vec![effects]))
            .await
            .context("migrate")?;
        Ok(world)
    }

    /// What a service that is called in this process is given, with these clocks.
    pub(crate) fn shell(&self, clock: SiteClock, system: SystemClock) -> Result<Shell> {
        Ok(Shell {
            clock,
            system,
            tasks: Tasks::new(),
            peers: Peers::in_process(),
            nats: self.connection.clone(),
            stream_prefix: fresh_prefix(),
            stream_replicas: 1,
            keys: CallerKeys::from_root(&[42; 32])?,
            health: Health::default(),
        })
    }

    pub(crate) async fn admin(&self, database: &str) -> Result<PgConnection> {
        PgConnection::connect(&self.postgres.url(database)).await.context("connect to PostgreSQL")
    }

    async fn run(&self, statement: &str) -> Result<()> {
        let mut conn = self.admin("postgres").await?;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut conn)
            .await
            .with_context(|| statement.to_owned())?;
        Ok(())
    }

    /// An empty database that knows nothing of us.
    pub(crate) async fn bare(&self) -> Result<Database> {
        let name = format!("bench_{}", EventId::new().as_uuid().simple());
        self.run(&format!("CREATE DATABASE {name}")).await?;
        Ok(Database { url: self.postgres.url(&name), name })
    }

    /// A copy of a template, on the disk when this returns.
    pub(crate) async fn copy(&self, template: &str) -> Result<Database> {
        let name = format!("bench_{}", EventId::new().as_uuid().simple());
        self.run(&format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")).await?;
        self.run("CHECKPOINT").await?;
        Ok(Database { url: self.postgres.url(&name), name })
    }

    pub(crate) async fn empty(&self) -> Result<Database> {
        self.copy(EMPTY).await
    }

    pub(crate) async fn discard(&self, database: &str) -> Result<()> {
        self.run(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await
    }

    /// A database of that name with `count` unsent events in its outbox, written as services write them.
    pub(crate) async fn filled(&self, name: &str, count: usize) -> Result<Database> {
        self.run(&format!("CREATE DATABASE {name} TEMPLATE {EMPTY} STRATEGY FILE_COPY")).await?;
        let database = Database { url: self.postgres.url(name), name: name.to_owned() };
        let store = database.store(CONTEXT).await?;
        let facts = Facts::new();
        for first in (0..count).step_by(CHUNK) {
            let chunk: Vec<_> =
                (first..count.min(first + CHUNK)).map(|number| facts.fact(number)).collect();
            let mut tx = store.begin(Scope::Site(facts.site)).await?;
            events::enqueue_all(&mut tx, &chunk, at()).await?;
            tx.commit().await?;
        }
        store.close().await;
        let mut conn = self.admin(name).await?;
        sqlx::query("VACUUM ANALYZE").execute(&mut conn).await?;
        conn.close().await?;
        Ok(database)
    }

    pub(crate) fn bus(&self, prefix: &str) -> Bus {
        Bus::new(self.connection.clone(), prefix)
    }

    /// How many messages the stream holds; 0 while it is not there.
    pub(crate) async fn messages(&self, stream: &str) -> u64 {
        let jetstream = async_nats::jetstream::new(self.client.clone());
        match jetstream.get_stream(stream).await {
            Ok(stream) => stream.cached_info().state.messages,
            Err(_) => 0,
        }
    }

    /// Removes every stream.
    pub(crate) async fn clear_streams(&self) -> Result<()> {
        use futures::TryStreamExt;
        let jetstream = async_nats::jetstream::new(self.client.clone());
        let names: Vec<String> =
            jetstream.stream_names().try_collect().await.context("list streams")?;
        for name in names {
            jetstream.delete_stream(name).await.context("remove a stream")?;
        }
        Ok(())
    }
}

/// The first part of the names of streams that no other has.
pub(crate) fn fresh_prefix() -> String {
    format!("bench{}", EventId::new().as_uuid().simple())
}

/// Stops what a killed run left behind, and removes all that servers stored.
pub(crate) fn erase(folder: &Path) -> Result<()> {
    ["postgres", "nats"].iter().try_for_each(|server| servers::erase(&folder.join(server)))
}

/// One database on the server.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) name: String,
}

impl Database {
    /// As a service reaches it, with as many connections as a service has.
    pub(crate) async fn store(&self, service: &'static str) -> Result<Store> {
        self.store_of(service, 4).await
    }

    pub(crate) async fn store_of(&self, service: &'static str, connections: u32) -> Result<Store> {
        let config =
            DatabaseConfig { url: self.url.clone(), password: None, max_connections: connections };
        Ok(Store::connect(&config, service).await?)
    }

    /// What one number a query gives.
    pub(crate) async fn number(&self, query: &'static str) -> Result<u64> {
        let mut conn = PgConnection::connect(&self.url).await?;
        let number: i64 = sqlx::query_scalar(query).fetch_one(&mut conn).await?;
        conn.close().await?;
        Ok(crate::wait::unsigned(number))
    }
}

/// Between looks at what a program does.
pub(crate) const LOOK: Duration = Duration::from_millis(10);
