//! Leadership of one stream's relay: an advisory lock in a session of its own, and an epoch that each mark checks.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use service::{Conn, Nats, Store, StoreError};
use tokio_util::sync::CancellationToken;
use types::{EventId, SystemClock};
use uuid::Uuid;

use super::{Ended, Pace};

/// Held as long as the session lives: the server closes it once its process gives no sign of life.
pub(super) struct Lead {
    pub(super) conn: Conn,
    pub(super) context: &'static str,
    pub(super) epoch: i64,
    heartbeat: Duration,
    nats: Nats,
    /// How often the broker was connected to when the stream was last looked at.
    pub(super) connects: u64,
    /// The stream's last sequence as far as it is known and written down.
    pub(super) last_stream_seq: u64,
    /// Where the newest version of the lead's row is. By its key each mark would pass every version before it, and while
    /// an old snapshot is held none of them goes away.
    at: String,
}

/// Selects rows of the outbox as [`Unsent`].
macro_rules! select_facts {
    ($rest:literal) => {
        concat!(
            "SELECT seq, event_id, name, site, payload, traceparent, created_at, stream_seq, ",
            "state_kind, state_id, state_ends, state_only FROM outbox ",
            $rest
        )
    };
}
pub(super) use select_facts;

/// A row of the outbox that is to be sent.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Unsent {
    pub(super) seq: i64,
    pub(super) event_id: Uuid,
    pub(super) name: String,
    pub(super) site: String,
    pub(super) payload: Vec<u8>,
    pub(super) traceparent: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    /// Its place in the stream that was lost, while that is rebuilt.
    pub(super) stream_seq: Option<i64>,
    pub(super) state_kind: Option<String>,
    pub(super) state_id: Option<String>,
    pub(super) state_ends: bool,
    /// Not for the stream of facts.
    pub(super) state_only: bool,
}

impl Unsent {
    /// The kind and id of the aggregate whose state it is.
    pub(super) fn state(&self) -> Option<(&str, &str)> {
        self.state_kind.as_deref().zip(self.state_id.as_deref())
    }
}

/// A session for reading and marking. Statistics of a table whose rows are all new or all sent within a second are
/// wrong most of the time, so the plans are fixed: by index, row by row.
pub(super) async fn session(store: &Store, pace: &Pace) -> Result<Conn, StoreError> {
    let mut conn = store.session(pace.idle_timeout).await?;
    sqlx::raw_sql(
        "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off;
         SET enable_mergejoin = off; SET jit = off",
    )
    .execute(&mut conn)
    .await?;
    Ok(conn)
}

impl Lead {
    /// Waits for the lead and takes it under a new epoch; `None` when shutdown came first. `stands_by` is called as long
    /// as another leads.
    pub(super) async fn take(
        store: &Store,
        nats: &Nats,
        context: &'static str,
        pace: &Pace,
        stop: &CancellationToken,
        stands_by: impl Fn(),
    ) -> Result<Option<Self>, StoreError> {
        let mut conn = session(store, pace).await?;
        loop {
            let locked: bool = sqlx::query_scalar(
                "SELECT pg_try_advisory_lock(hashtextextended('relay ' || current_schema() || ' ' || $1, 0))",
            )
            .bind(context)
            .fetch_one(&mut conn)
            .await?;
            if locked {
                break;
            }
            stands_by();
            tokio::select! {
                () = tokio::time::sleep(pace.poll) => {}
                () = stop.cancelled() => return Ok(None),
            }
        }
        let (epoch, last, at): (i64, i64, String) = sqlx::query_as(
            "INSERT INTO relay_state (context, epoch, leader, last_stream_seq) VALUES ($1, 1, $2, 0)
             ON CONFLICT (context) DO UPDATE SET epoch = relay_state.epoch + 1, leader = excluded.leader
             RETURNING epoch, last_stream_seq, ctid::text",
        )
        .bind(context)
        .bind(EventId::new().as_uuid())
        .fetch_one(&mut conn)
        .await?;
        tracing::info!(context, epoch, "relay leads");
        Ok(Some(Self {
            conn,
            context,
            epoch,
            heartbeat: pace.idle_timeout / 4,
            connects: nats.connects(),
            nats: nats.clone(),
            last_stream_seq: unsigned(last),
            at,
        }))
    }

    /// Gives signs of life while something outside the database is awaited. Nothing is awaited any more once the
    /// connection to the broker was made anew: the answer was to come on the one before. Nor while there is none: the
    /// client has room for so many questions, and who asks one more waits for the connection, without a time limit.
    pub(super) async fn hold<F: Future>(&mut self, future: F) -> Result<F::Output, Ended> {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                biased;
                () = self.nats.renewed(self.connects) => return Err(Ended::Renewed),
                output = &mut future => return Ok(output),
                () = tokio::time::sleep(self.heartbeat) => {
                    sqlx::query("SELECT 1").execute(&mut self.conn).await?;
                    if !self.nats.is_connected() {
                        return Err(Ended::broker("there is no connection"));
                    }
                }
            }
        }
    }

    /// Marks rows as sent, the facts among them at the given places, and notes that the stream is known up to `last`.
    /// One statement: a row left unmarked below the known place would be sent a second time. Its commit does not wait for
    /// the disk: a database that fails then knows of fewer places than the stream holds, and the next look at it marks
    /// them, as after a lost answer.
    pub(super) async fn mark(
        &mut self,
        rows: &[Unsent],
        places: &[Option<u64>],
        last: u64,
    ) -> Result<(), Ended> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.event_id).collect();
        let places: Vec<Option<i64>> = places.iter().map(|place| place.map(signed)).collect();
        // The first and the last id spare the statement all other days.
        loop {
            let moved: Option<String> = sqlx::query_scalar(
                "WITH held AS (
                     UPDATE relay_state SET last_stream_seq = $3
                     WHERE ctid = $9::text::tid AND context = $1 AND epoch = $2 RETURNING ctid::text AS at
                 ), marked AS (
                     UPDATE outbox SET sent_at = $4, stream_seq = sent.place
                     FROM held, unnest($5::uuid[], $6::bigint[]) AS sent (event_id, place)
                     WHERE outbox.event_id = sent.event_id AND outbox.event_id BETWEEN $7 AND $8
                 )
                 SELECT at FROM held, set_config('synchronous_commit', 'off', true)",
            )
            .bind(self.context)
            .bind(self.epoch)
            .bind(signed(last))
            .bind(SystemClock::system().now())
            .bind(&ids)
            .bind(&places)
            .bind(ids.iter().min())
            .bind(ids.iter().max())
            .bind(&self.at)
            .fetch_optional(&mut self.conn)
            .await?;
            if self.moved(moved).await? {
                self.last_stream_seq = last;
                return Ok(());
            }
        }
    }

    /// Notes that the stream is known up to `last`.
    pub(super) async fn know(&mut self, last: u64) -> Result<(), Ended> {
        self.note(
            "UPDATE relay_state SET last_stream_seq = $3
             WHERE ctid = $4::text::tid AND context = $1 AND epoch = $2 RETURNING ctid::text",
            last,
        )
        .await?;
        self.last_stream_seq = last;
        Ok(())
    }

    /// Notes that the stream of states is known up to `last`.
    pub(super) async fn know_states(&mut self, last: u64) -> Result<(), Ended> {
        self.note(
            "UPDATE relay_state SET last_state_seq = $3
             WHERE ctid = $4::text::tid AND context = $1 AND epoch = $2 RETURNING ctid::text",
            last,
        )
        .await
    }

    async fn note(&mut self, update: &'static str, last: u64) -> Result<(), Ended> {
        loop {
            let moved: Option<String> = sqlx::query_scalar(update)
                .bind(self.context)
                .bind(self.epoch)
                .bind(signed(last))
                .bind(&self.at)
                .fetch_optional(&mut self.conn)
                .await?;
            if self.moved(moved).await? {
                return Ok(());
            }
        }
    }

    /// Whether somebody asked for facts to be sent once more.
    pub(super) async fn is_asked(&mut self) -> Result<bool, Ended> {
        loop {
            let asked: Option<bool> = sqlx::query_scalar(
                "SELECT replay_from IS NOT NULL FROM relay_state
                 WHERE ctid = $3::text::tid AND context = $1 AND epoch = $2",
            )
            .bind(self.context)
            .bind(self.epoch)
            .bind(&self.at)
            .fetch_optional(&mut self.conn)
            .await?;
            match asked {
                Some(asked) => return Ok(asked),
                None => self.find().await?,
            }
        }
    }

    /// Follows the row to where a statement put it. `false` when it was not where it was looked for: somebody else had
    /// changed it, and the statement did nothing.
    async fn moved(&mut self, to: Option<String>) -> Result<bool, Ended> {
        let Some(at) = to else {
            self.find().await?;
            return Ok(false);
        };
        self.at = at;
        Ok(true)
    }

    /// Finds the row that somebody else changed, or another relay leads.
    async fn find(&mut self) -> Result<(), Ended> {
        let at: Option<String> = sqlx::query_scalar(
            "SELECT ctid::text FROM relay_state WHERE context = $1 AND epoch = $2",
        )
        .bind(self.context)
        .bind(self.epoch)
        .fetch_optional(&mut self.conn)
        .await?;
        self.at = at.ok_or(Ended::Fenced)?;
        Ok(())
    }

    pub(super) fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Leaves the lead to another relay at once.
    pub(super) async fn resign(self) {
        if let Err(err) = self.conn.close().await {
            tracing::debug!(error = %err, "session was gone already");
        }
    }
}

/// A statement of the lead returns the row of its epoch, or another relay leads.
pub(super) fn held_by(rows: u64) -> Result<(), Ended> {
    if rows == 0 { Err(Ended::Fenced) } else { Ok(()) }
}

pub(super) fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).expect("a stream's sequence stays below 2^63")
}

pub(super) fn unsigned(sequence: i64) -> u64 {
    u64::try_from(sequence).expect("only sequences of a stream are written down")
}
