//! The only way to a transaction. A [`Scope`] says which sites it may touch, and row-level security holds
//! it to that; nothing is visible to a connection without one.

mod conn;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqlSafeStr};
use tokio::sync::watch;
use tracing::Span;
use types::SiteId;

use crate::config::DatabaseConfig;
use crate::faults;
use crate::migrate::schema;
pub use conn::Conn;

/// How long a caller waits for a connection, or one for its first answer, before the answer is [`StoreError::Unavailable`].
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
const STATEMENT_TIMEOUT: &str = "10s";
const LOCK_TIMEOUT: &str = "5s";
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "30s";
/// Of a client that takes nothing of its answer. The server waits for it without looking at any other limit, and keeps
/// its locks.
const UNREAD_TIMEOUT: &str = "30s";
/// How soon a statement ends whose client has gone: till then it keeps its locks, and whoever asks again waits for them.
const CLIENT_CHECK_INTERVAL: &str = "1s";

/// The sites a transaction may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Site(SiteId),
    Sites(Vec<SiteId>),
    /// Every site; the reason is kept on the transaction's span.
    System(&'static str),
}

/// What the database did.
#[derive(thiserror::Error)]
pub enum StoreError {
    /// The row is no longer the version that was read.
    #[error("the row was changed by someone else")]
    Conflict,
    /// What is stored is no state of the aggregate.
    #[error("no state explains row {id} of {table}")]
    Corrupt { table: &'static str, id: String },
    /// Away, restarting, full or too busy: the same call may succeed later.
    #[error("the database is not available")]
    Unavailable,
    #[error("the database refused: {0}")]
    Database(sqlx::Error),
}

/// As it is displayed: what the database adds in detail shows the row it refused, which no log may.
impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StoreError {
    pub fn corrupt(table: &'static str, id: impl fmt::Display) -> Self {
        Self::Corrupt { table, id: id.to_string() }
    }

    /// The constraint a refused statement broke.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(err) => err.as_database_error()?.constraint(),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(err: sqlx::Error) -> Self {
        let unavailable = match &err {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                if matches!(&*code, "40001" | "40P01") {
                    return Self::Conflict;
                }
                unavailable_code(&code)
            }
            _ => false,
        };
        if unavailable {
            tracing::debug!(error = %err, "database unavailable");
            return Self::Unavailable;
        }
        Self::Database(err)
    }
}

/// Lost connections (08), no resources (53), time-outs and shutdowns (57, 25P03), a standby (25006), a held lock (55P03).
fn unavailable_code(code: &str) -> bool {
    ["08", "53", "57"].iter().any(|class| code.starts_with(class))
        || matches!(code, "25P03" | "25006" | "55P03")
}

/// One service's tables. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    service: &'static str,
    schema: String,
    pool: PgPool,
    options: PgConnectOptions,
    max_connections: u32,
    changed: watch::Sender<u64>,
}

impl Inner {
    async fn begun(&self, statement: &str) -> Result<Conn, sqlx::Error> {
        let mut conn = Conn::from(self.pool.acquire().await?);
        let statement = AssertSqlSafe(statement.to_owned()).into_sql_str();
        conn.begin(statement, ACQUIRE_TIMEOUT).await?;
        Ok(conn)
    }
}

impl Store {
    /// Prepares the pool of `service`'s app role. Connects when first used, so a process starts while the
    /// database is away; fails only for a URL that does not parse.
    #[expect(
        clippy::unused_async,
        reason = "a pool that connects at once may come without touching its callers"
    )]
    pub async fn connect(
        config: &DatabaseConfig,
        service: &'static str,
    ) -> Result<Self, StoreError> {
        let schema = schema(service);
        let mut options = PgConnectOptions::from_str(&config.url)
            .map_err(StoreError::Database)?
            .username(&format!("sitepass_{schema}_app"))
            .application_name(&format!("sitepass {service}"))
            .options([
                ("search_path", schema.as_str()),
                ("statement_timeout", STATEMENT_TIMEOUT),
                ("lock_timeout", LOCK_TIMEOUT),
                ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
                ("tcp_user_timeout", UNREAD_TIMEOUT),
                ("client_connection_check_interval", CLIENT_CHECK_INTERVAL),
            ]);
        if let Some(password) = config.password.as_ref().and_then(|password| password.expose_str())
        {
            options = options.password(password);
        }
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone());
        let max_connections = config.max_connections;
        let changed = watch::Sender::new(0);
        Ok(Self {
            inner: Arc::new(Inner { service, schema, pool, options, max_connections, changed }),
        })
    }

    /// Opens a transaction, its scope set in the same round trip. Dropping it rolls back.
    pub async fn begin(&self, scope: Scope) -> Result<Tx, StoreError> {
        let inner = &self.inner;
        let span = tracing::info_span!(
            "transaction",
            otel.kind = "client",
            db.system.name = "postgresql",
            db.namespace = %inner.schema,
            sitepass.scope = %scope,
        );
        let statement = begin_statement(&inner.schema, &scope);
        let mut stale = 0;
        loop {
            match inner.begun(&statement).await {
                Ok(conn) => return Ok(Tx { conn, changed: inner.changed.clone(), span }),
                Err(err) if conn::is_silence(&err) => return Err(err.into()),
                // Connections are not tested when taken; after a restart of the database each fails once, here.
                Err(sqlx::Error::Io(_)) if stale < inner.max_connections => stale += 1,
                Err(sqlx::Error::Database(err))
                    if stale < inner.max_connections
                        && err.code().is_some_and(|code| unavailable_code(&code)) =>
                {
                    stale += 1;
                }
                Err(err) => return Err(err.into()),
            }
        }
    }

    /// Moves at each commit in this process: wakes those who look for new rows. Rows of other processes need
    /// a poll besides.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// The service's name, as it was connected.
    pub fn service(&self) -> &'static str {
        self.inner.service
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.begin(Scope::Sites(vec![])).await.map(drop)
    }

    /// A connection beside the pool, for locks a session holds. It is closed by the server once it was idle
    /// for `idle_timeout`, or took nothing of an answer for so long, so a paused process loses what it held.
    pub async fn session(&self, idle_timeout: Duration) -> Result<Conn, StoreError> {
        let idle_timeout = format!("{}ms", idle_timeout.as_millis());
        let options = self.inner.options.clone().options([
            ("idle_session_timeout", idle_timeout.clone()),
            ("tcp_user_timeout", idle_timeout),
        ]);
        let connecting = PgConnection::connect_with(&options);
        let conn = tokio::time::timeout(ACQUIRE_TIMEOUT, connecting)
            .await
            .map_err(|_| StoreError::Unavailable)??;
        Ok(conn.into())
    }

    /// Closes the pool; transactions at hand end first.
    pub async fn close(&self) {
        self.inner.pool.close().await;
    }
}

/// An open transaction with its scope; `&mut *tx` is sqlx's executor.
#[derive(Debug)]
#[must_use = "dropping a transaction rolls it back"]
pub struct Tx {
    conn: Conn,
    changed: watch::Sender<u64>,
    span: Span,
}

impl Tx {
    /// Makes the changes durable and visible, and wakes those who watch [`Store::changed`]. A transaction with
    /// a failed statement in it is refused, where PostgreSQL alone would roll back and report success.
    /// [`StoreError::Unavailable`] means *unknown*: the connection may have broken after the commit.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        faults::point("commit.before");
        // One round trip: where a statement has failed before, the first of these fails as well and the second is not
        // reached. The empty transaction that it begins is rolled back on the connection's way to the pool, which the
        // pool waits for in any case.
        sqlx::raw_sql("SELECT 1; COMMIT AND CHAIN").execute(&mut self.conn).await?;
        faults::point("commit.after");
        self.changed.send_modify(|commits| *commits += 1);
        Ok(())
    }

    /// Covers the transaction from its begin to its end.
    pub fn span(&self) -> &Span {
        &self.span
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.conn.start_rollback();
    }
}

impl Deref for Tx {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(site) => write!(f, "site {site}"),
            Self::Sites(sites) => write!(f, "{} sites", sites.len()),
            Self::System(reason) => write!(f, "system: {reason}"),
        }
    }
}

/// Safe to put together: a schema's name is checked when it is migrated, a site's id prints as a UUID only.
fn begin_statement(schema: &str, scope: &Scope) -> String {
    let sites = match scope {
        Scope::System(_) => return format!("BEGIN; SET LOCAL ROLE sitepass_{schema}_system"),
        Scope::Site(site) => site.as_uuid().to_string(),
        Scope::Sites(sites) => {
            sites.iter().map(|site| site.as_uuid().to_string()).collect::<Vec<_>>().join(",")
        }
    };
    format!("BEGIN; SET LOCAL app.sites = '{{{sites}}}'")
}

#[cfg(test)]
mod tests {
    use types::SiteId;

    use super::{Scope, begin_statement};

    #[test]
    fn a_scope_is_set_with_the_begin() {
        let (one, two) = (SiteId::new(), SiteId::new());
        assert_eq!(
            begin_statement("ticket", &Scope::Site(one)),
            format!("BEGIN; SET LOCAL app.sites = '{{{one}}}'")
        );
        assert_eq!(
            begin_statement("ticket", &Scope::Sites(vec![one, two])),
            format!("BEGIN; SET LOCAL app.sites = '{{{one},{two}}}'")
        );
        assert_eq!(
            begin_statement("ticket", &Scope::Sites(vec![])),
            "BEGIN; SET LOCAL app.sites = '{}'"
        );
        assert_eq!(
            begin_statement("access_grant", &Scope::System("relay")),
            "BEGIN; SET LOCAL ROLE sitepass_access_grant_system"
        );
    }
}
