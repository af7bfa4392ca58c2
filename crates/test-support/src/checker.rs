//! Looks at a healed installation from outside, in its databases and streams, and says which invariants are broken.

mod effects;
mod slots;
mod streams;

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row};

use crate::{Ledger, Outcome};

/// Healing takes no longer.
const HEALED_WITHIN: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A broken invariant: its number in the fault matrix, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    pub invariant: u8,
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I{} is broken: {}", self.invariant, self.what)
    }
}

/// Knows the servers of one installation, as their superuser.
#[derive(Debug)]
pub struct Checker {
    pool: PgPool,
    nats: async_nats::Client,
    prefix: String,
    schemas: Vec<String>,
    /// Parked on purpose: the event's id as the parking place has it.
    meant: BTreeSet<uuid::Uuid>,
    within: Duration,
}

impl Checker {
    /// `database_url` logs in a superuser, who sees behind row-level security.
    ///
    /// # Panics
    /// When the servers do not answer.
    pub async fn connect(database_url: &str, nats_url: &str, prefix: &str) -> Self {
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy(database_url);
        Self {
            pool: pool.expect("a PostgreSQL URL"),
            nats: async_nats::ConnectOptions::new()
                .max_reconnects(None)
                .connect(nats_url)
                .await
                .expect("the broker answers"),
            prefix: prefix.to_owned(),
            schemas: crate::services(),
            meant: BTreeSet::new(),
            within: HEALED_WITHIN,
        }
    }

    /// Gives up sooner than after a minute: for a test that knows the installation will not heal.
    pub fn give_up_after(&mut self, within: Duration) {
        self.within = within;
    }

    /// This event is meant to be parked.
    pub fn expect_parked(&mut self, event: uuid::Uuid) {
        self.meant.insert(event);
    }

    /// The database, for what a scenario itself wants to know.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The broker, likewise.
    pub fn nats(&self) -> &async_nats::Client {
        &self.nats
    }

    /// The names of this installation's streams of facts.
    ///
    /// # Panics
    /// When the broker does not answer.
    pub async fn fact_streams(&self) -> Vec<String> {
        streams::facts(&self.nats, &self.prefix).await.expect("the broker lists its streams")
    }

    /// What a stream holds, in its order.
    ///
    /// # Panics
    /// When the broker does not answer.
    pub async fn held(&self, stream: &str) -> Vec<async_nats::Message> {
        streams::messages(&self.nats, stream).await.expect("the broker tells what it holds")
    }

    /// Waits up to a minute until backlogs are drained and every invariant holds; all that are broken then.
    pub async fn check(&self, ledger: &Ledger) -> Vec<Broken> {
        let until = Instant::now() + self.within;
        loop {
            let mut broken = self.drained(until).await;
            broken.extend(self.invariants(ledger).await);
            if broken.is_empty() || Instant::now() >= until {
                return broken;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn invariants(&self, ledger: &Ledger) -> Vec<Broken> {
        let mut broken = Vec::new();
        broken.extend(self.commands(ledger).await);
        for (invariant, sql) in effects::INVARIANTS {
            broken.extend(self.none(*invariant, &effects::over(&self.schemas, sql)).await);
        }
        broken.extend(self.strays().await);
        broken.extend(self.parked().await);
        match streams::look(self).await {
            Ok(found) => broken.extend(found),
            Err(err) => broken.push(Broken { invariant: 9, what: format!("the broker: {err}") }),
        }
        broken
    }

    /// As [`Checker::check`], for a test.
    ///
    /// # Panics
    /// With seed, timeline and every broken invariant, when there is one.
    pub async fn assert_whole(&self, ledger: &Ledger) {
        let broken = self.check(ledger).await;
        let lines: Vec<String> = broken.iter().map(|one| format!("  {one}\n")).collect();
        assert!(broken.is_empty(), "\n{}{}", ledger.story(), lines.concat());
    }

    /// I9: outboxes are empty, nothing waits in a consumer; what is left when the time is over.
    async fn drained(&self, until: Instant) -> Vec<Broken> {
        let mut quiet = 0;
        loop {
            let left = self.backlog().await;
            // An effect may be a new fact: quiet counts only when it lasts.
            quiet = if left.is_empty() { quiet + 1 } else { 0 };
            if quiet == 3 || Instant::now() >= until {
                return left;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn backlog(&self) -> Vec<Broken> {
        let mut left = Vec::new();
        for schema in &self.schemas {
            let sql = format!("SELECT count(*) FROM {schema}.outbox WHERE sent_at IS NULL");
            match self.count(&sql).await {
                Ok(0) => {}
                Ok(rows) => {
                    left.push(Broken {
                        invariant: 9,
                        what: format!("{rows} unsent events of {schema}"),
                    });
                }
                Err(err) => left.push(Broken { invariant: 9, what: format!("{schema}: {err}") }),
            }
        }
        match self.count(effects::OPEN_NOTICES).await {
            Ok(0) => {}
            Ok(open) => {
                left.push(Broken { invariant: 9, what: format!("{open} notices are queued") });
            }
            Err(err) => left.push(Broken { invariant: 9, what: err.to_string() }),
        }
        match streams::lag(self).await {
            Ok(lag) => left.extend(lag),
            Err(err) => left.push(Broken { invariant: 9, what: format!("the broker: {err}") }),
        }
        left
    }

    /// I1: what was acked is stored once, what was refused not at all, what is unknown at most once.
    async fn commands(&self, ledger: &Ledger) -> Vec<Broken> {
        let stored = sqlx::query(
            "SELECT title, ticket_id::text, cancelled_at IS NOT NULL FROM ticket.work_tickets",
        );
        let rows = match stored.fetch_all(&self.pool).await {
            Ok(rows) => rows,
            Err(err) => return vec![Broken { invariant: 1, what: err.to_string() }],
        };
        let mut broken = Vec::new();
        for (title, entry) in ledger.entries() {
            // A cancellation is written down under its ticket's title.
            let (of, cancels) =
                title.strip_prefix("cancel ").map_or((&*title, false), |of| (of, true));
            let found: Vec<(String, bool)> = rows
                .iter()
                .filter(|row| row.get::<String, _>(0) == of)
                .map(|row| (row.get(1), row.get(2)))
                .collect();
            let fits = match (&entry.outcome, found.as_slice()) {
                (Outcome::Acked(id), [(stored, cancelled)]) => {
                    stored == id && (*cancelled || !cancels)
                }
                (Outcome::Refused(_), [(_, cancelled)]) => cancels && !cancelled,
                (Outcome::Refused(_), []) => true,
                (Outcome::Unknown(_) | Outcome::Asked, found) => found.len() <= 1,
                (_, _) => false,
            };
            if !fits {
                let (outcome, found) = (entry.outcome, found.len());
                broken.push(Broken {
                    invariant: 1,
                    what: format!("{title}: {outcome:?}, and stored {found} times"),
                });
            }
        }
        broken
    }

    async fn strays(&self) -> Vec<Broken> {
        let sql = effects::over(&self.schemas, effects::STRAYS);
        let meant: Vec<uuid::Uuid> = self.meant.iter().copied().collect();
        let found = sqlx::query_scalar(AssertSqlSafe(sql)).bind(meant).fetch_all(&self.pool).await;
        let found = found.unwrap_or_else(|err| vec![err.to_string()]);
        found.into_iter().map(|what| Broken { invariant: 2, what }).collect()
    }

    async fn parked(&self) -> Vec<Broken> {
        let mut broken = Vec::new();
        for schema in &self.schemas {
            let sql =
                format!("SELECT consumer, event_id, subject, error FROM {schema}.parked_events");
            let rows = match sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.pool).await {
                Ok(rows) => rows,
                Err(err) => {
                    broken.push(Broken { invariant: 9, what: err.to_string() });
                    continue;
                }
            };
            for row in rows.iter().filter(|row| !self.meant.contains(&row.get(1))) {
                let (consumer, subject, error): (String, String, String) =
                    (row.get(0), row.get(2), row.get(3));
                broken.push(Broken {
                    invariant: 9,
                    what: format!("{consumer} parked an event of {subject}: {error}"),
                });
            }
        }
        broken
    }

    /// An invariant as a query for its counter-examples, each told in one column.
    async fn none(&self, invariant: u8, sql: &str) -> Vec<Broken> {
        match sqlx::query_scalar::<_, String>(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&self.pool)
            .await
        {
            Ok(found) => found.into_iter().map(|what| Broken { invariant, what }).collect(),
            Err(err) => vec![Broken { invariant, what: err.to_string() }],
        }
    }

    async fn count(&self, sql: &str) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.pool).await
    }
}
