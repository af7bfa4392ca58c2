//! Tells every live aggregate once more: fills a stream of states that is new or was lost.

mod rows;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use prost::Message;
use proto::{Event, State};
use service::{Conn, Scope, Shell, Store, StoreError, Tx};
use tokio_util::sync::CancellationToken;
use types::{EventId, SystemClock};

use crate::delivery::Delivery;
use crate::outbox::{Fact, enqueue_states};
use crate::states::{COMPLETE_ID, COMPLETE_KIND, ERASURE};

pub use rows::{Live, Rows};

/// Told in one transaction: their rows are locked for so long.
const PAGE: i64 = 100;
const POLL: Duration = Duration::from_secs(2);

/// One live aggregate as its owner tells it.
#[derive(Debug, Clone)]
pub struct Announced {
    fact: Fact<'static>,
    at: DateTime<Utc>,
}

impl Announced {
    /// `event` carries the aggregate as it now is; `at` is when that became true (site time), or the last such
    /// instant the owner remembers.
    ///
    /// # Panics
    /// For an event that is no state.
    pub fn of<E: Event>(event: &E, at: DateTime<Utc>) -> Self {
        let fact = Fact::of(event);
        assert!(fact.state.is_some(), "{} is no state", E::NAME);
        Self { fact, at }
    }

    /// Of which aggregate it is the state.
    pub(crate) fn state(&self) -> Option<&State> {
        self.fact.state.as_ref()
    }

    /// As a reader of the states gets it, under a new id.
    pub(crate) fn delivery(self) -> Delivery {
        let payload = self.fact.envelope(EventId::new(), self.at).encode_to_vec();
        Delivery::read(&payload, 1).expect("an envelope of ours")
    }
}

/// An owner that can tell what it has.
#[async_trait]
pub trait Announce: Send + Sync + 'static {
    /// The context whose aggregates it tells: `access_grant`. Its kinds are those of [`proto::state_kinds`].
    fn context(&self) -> &'static str;

    /// Where the aggregates of a kind are.
    fn rows(&self, kind: &str) -> Rows;

    /// Reads these aggregates, whose rows are locked, and says them as they now are. `tx` sees every site.
    async fn tell(
        &self,
        tx: &mut Tx,
        kind: &str,
        live: &[Live],
    ) -> Result<Vec<Announced>, StoreError>;
}

/// Starts telling what the owner is asked to tell; the first time by itself. Runs until shutdown; every replica of the
/// owner starts one, and one of them works.
pub fn announce<A: Announce>(shell: &Shell, store: &Store, owner: A) {
    let announcer = Announcer::new(store.clone(), owner);
    let stop = shell.tasks.token();
    shell.tasks.spawn("announce", async move { announcer.run(stop).await });
}

/// Asks the owner of `context` to tell every live aggregate again. The running service does it; asked while it is at
/// it, it goes on, and that is no new announcement. The caller opens the transaction, so that the record of who asked
/// commits with it; whether it was new.
pub async fn reannounce(tx: &mut Tx, context: &str) -> Result<bool, StoreError> {
    let under_way =
        sqlx::query("SELECT FROM announcements WHERE context = $1 AND done_at IS NULL FOR UPDATE")
            .bind(context)
            .fetch_optional(&mut **tx)
            .await?;
    if under_way.is_none() {
        ask(tx, context).await?;
    }
    Ok(under_way.is_none())
}

/// Whether `context` keeps a stream of states.
pub fn has_states(context: &str) -> bool {
    !proto::state_kinds(context).is_empty()
}

/// How far an announcement has come.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Progress {
    /// System time.
    pub asked_at: DateTime<Utc>,
    /// The kind that is being told.
    pub kind: String,
    #[sqlx(try_from = "i64")]
    pub told: u64,
    pub done_at: Option<DateTime<Utc>>,
    /// Told and not published yet.
    #[sqlx(try_from = "i64")]
    pub unsent: u64,
}

/// The announcement of `context` that runs, or ran last; `None` before the first.
pub async fn progress(store: &Store, context: &str) -> Result<Option<Progress>, StoreError> {
    let mut tx = store.begin(Scope::System("look at an announcement")).await?;
    let row = sqlx::query_as(
        "SELECT asked_at, kind, told, done_at,
             (SELECT count(*) FROM outbox WHERE sent_at IS NULL AND context = $1 AND state_only) AS unsent
         FROM announcements WHERE context = $1",
    )
    .bind(context)
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row)
}

/// Has it all told from the beginning, whatever is under way. What an earlier announcement told and was not published
/// yet is not published any more: its end must not pass for the end of this one. What is to be erased still is.
pub(crate) async fn ask(conn: &mut Conn, context: &str) -> Result<(), StoreError> {
    let now = SystemClock::system().now();
    // Held from here on: no page of the one before is written any more.
    sqlx::query(
        "INSERT INTO announcements (context, asked_at, kind, after, told) VALUES ($1, $2, '', '', 0)
         ON CONFLICT (context) DO UPDATE
         SET asked_at = excluded.asked_at, kind = '', after = '', told = 0, done_at = NULL",
    )
    .bind(context)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "UPDATE outbox SET sent_at = $2
         WHERE sent_at IS NULL AND context = $1 AND state_only AND name <> $3",
    )
    .bind(context)
    .bind(now)
    .bind(ERASURE)
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// The loop of one owner.
#[derive(Debug)]
pub struct Announcer<A> {
    store: Store,
    owner: A,
    kinds: Vec<&'static str>,
    poll: Duration,
    page: i64,
}

impl<A: Announce> Announcer<A> {
    pub fn new(store: Store, owner: A) -> Self {
        let kinds = proto::state_kinds(owner.context());
        Self { store, owner, kinds, poll: POLL, page: PAGE }
    }

    /// For tests: how often it looks whether it was asked, and how many it tells at once.
    #[must_use]
    pub fn with_pace(mut self, poll: Duration, page: i64) -> Self {
        (self.poll, self.page) = (poll, page);
        self
    }

    /// Runs until `stop`. Dropping it is as good as killing it: the next goes on where it was.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.step().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(err) => {
                    tracing::warn!(context = self.owner.context(), error = %err, "states are told later");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(self.poll) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Tells one page, if there is something to tell; whether it did.
    pub async fn step(&self) -> Result<bool, StoreError> {
        let context = self.owner.context();
        let mut tx = self.store.begin(Scope::System("tell every live aggregate")).await?;
        // A new owner is asked by nobody: it tells what it has, so that its readers know that they have it all.
        sqlx::query(
            "INSERT INTO announcements (context, asked_at, kind, after, told) VALUES ($1, $2, '', '', 0)
             ON CONFLICT DO NOTHING",
        )
        .bind(context)
        .bind(SystemClock::system().now())
        .execute(&mut *tx)
        .await?;
        let asked: Option<(String, String)> = sqlx::query_as(
            "SELECT kind, after FROM announcements WHERE context = $1 AND done_at IS NULL FOR UPDATE SKIP LOCKED",
        )
        .bind(context)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((kind, after)) = asked else { return Ok(false) };
        let mut place = self.kinds.iter().position(|known| *known == kind).unwrap_or(0);
        let mut after = after;
        while let Some(kind) = self.kinds.get(place) {
            let rows = self.owner.rows(kind);
            if let Some(last) = rows.last_of_page(&mut tx, &after, self.page).await? {
                let live = rows.lock(&mut tx, &after, &last).await?;
                let told = self.owner.tell(&mut tx, kind, &live).await?;
                move_on(&mut tx, context, kind, &last, told.len()).await?;
                let told = told.into_iter().map(|told| (told.fact, told.at)).collect();
                enqueue_states(&mut tx, told).await?;
                tx.commit().await?;
                return Ok(true);
            }
            place += 1;
            after.clear();
        }
        complete(&mut tx, context).await?;
        tx.commit().await?;
        tracing::info!(context, "every live aggregate is told");
        Ok(true)
    }
}

async fn move_on(
    tx: &mut Tx,
    context: &str,
    kind: &str,
    after: &str,
    told: usize,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE announcements SET kind = $2, after = $3, told = told + $4 WHERE context = $1",
    )
    .bind(context)
    .bind(kind)
    .bind(after)
    .bind(i64::try_from(told).unwrap_or(i64::MAX))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Told last: who reads the stream knows by it that all is there.
async fn complete(tx: &mut Tx, context: &'static str) -> Result<(), StoreError> {
    let now = SystemClock::system().now();
    let mark = bare(context, COMPLETE_KIND, COMPLETE_KIND, COMPLETE_ID);
    enqueue_states(tx, vec![(mark, now)]).await?;
    sqlx::query("UPDATE announcements SET done_at = $2 WHERE context = $1")
        .bind(context)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Takes an aggregate's state out of the stream, for one that may not be remembered. Call it after the aggregate's row
/// was written; facts about it that are enqueued later put a state there again. Twice changes nothing.
pub async fn erase_state(
    tx: &mut Tx,
    context: &'static str,
    kind: &'static str,
    id: &str,
) -> Result<(), StoreError> {
    let erasure = bare(context, ERASURE, kind, id);
    enqueue_states(tx, vec![(erasure, SystemClock::system().now())]).await
}

/// What says nothing but of which state it is.
fn bare<'a>(context: &'a str, name: &'a str, kind: &'static str, id: &str) -> Fact<'a> {
    let (site, state) = (String::new(), Some(State { kind, id: id.to_owned(), ended: false }));
    Fact { context, name, subject: id.to_owned(), site, version: 0, state, data: Vec::new() }
}
