//! Leadership of one stream's relay: an advisory lock in a session of its own, and an epoch that each mark checks.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use service::{Store, StoreError};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;
use types::{EventId, SystemClock};
use uuid::Uuid;

use super::{Ended, Pace};

/// Held as long as the session lives: the server closes it once its process gives no sign of life.
pub(super) struct Lead {
    pub(super) conn: PgConnection,
    pub(super) context: &'static str,
    pub(super) epoch: i64,
    heartbeat: Duration,
    /// The stream's last sequence as far as it is known and written down.
    pub(super) last_stream_seq: u64,
}

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Unsent {
    pub(super) seq: i64,
    pub(super) event_id: Uuid,
    pub(super) name: String,
    pub(super) site: String,
    pub(super) payload: Vec<u8>,
    pub(super) traceparent: Option<String>,
    created_at: chrono::DateTime<chrono::Utc>,
    pub(super) state_kind: Option<String>,
    pub(super) state_id: Option<String>,
    pub(super) state_ends: bool,
    /// Not for the stream of facts.
    pub(super) state_only: bool,
}

impl Lead {
    /// Waits for the lead and takes it under a new epoch; `None` when shutdown came first.
    pub(super) async fn take(
        store: &Store,
        context: &'static str,
        pace: &Pace,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, StoreError> {
        let mut conn = store.session(pace.idle_timeout).await?;
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
            tokio::select! {
                () = tokio::time::sleep(pace.poll) => {}
                () = stop.cancelled() => return Ok(None),
            }
        }
        let (epoch, last): (i64, i64) = sqlx::query_as(
            "INSERT INTO relay_state (context, epoch, leader, last_stream_seq) VALUES ($1, 1, $2, 0)
             ON CONFLICT (context) DO UPDATE SET epoch = relay_state.epoch + 1, leader = excluded.leader
             RETURNING epoch, last_stream_seq",
        )
        .bind(context)
        .bind(EventId::new().as_uuid())
        .fetch_one(&mut conn)
        .await?;
        tracing::info!(context, epoch, "relay leads");
        let heartbeat = pace.idle_timeout / 4;
        Ok(Some(Self { conn, context, epoch, heartbeat, last_stream_seq: unsigned(last) }))
    }

    /// Gives signs of life while something outside the database is awaited.
    pub(super) async fn hold<F: Future>(&mut self, future: F) -> Result<F::Output, Ended> {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                output = &mut future => return Ok(output),
                () = tokio::time::sleep(self.heartbeat) => {
                    sqlx::query("SELECT 1").execute(&mut self.conn).await?;
                }
            }
        }
    }

    pub(super) async fn unsent(&mut self, limit: u16) -> Result<Vec<Unsent>, Ended> {
        let rows: Vec<Unsent> = sqlx::query_as(
            "SELECT seq, event_id, name, site, payload, traceparent, created_at,
                    state_kind, state_id, state_ends, state_only
             FROM outbox
             WHERE sent_at IS NULL AND context = $1 ORDER BY seq LIMIT $2",
        )
        .bind(self.context)
        .bind(i64::from(limit))
        .fetch_all(&mut self.conn)
        .await?;
        let age = rows.first().map_or(0.0, |row| {
            let age = SystemClock::system().now() - row.created_at;
            age.to_std().unwrap_or_default().as_secs_f64()
        });
        metrics::gauge!("outbox_oldest_seconds", "context" => self.context).set(age);
        metrics::gauge!("outbox_unsent", "context" => self.context)
            .set(f64::from(u32::try_from(rows.len()).unwrap_or(u32::MAX)));
        Ok(rows)
    }

    /// Those of `events` that are not marked yet, in their order.
    pub(super) async fn unsent_of(&mut self, events: &[Uuid]) -> Result<Vec<Unsent>, Ended> {
        let rows = sqlx::query_as(
            "SELECT seq, event_id, name, site, payload, traceparent, created_at,
                    state_kind, state_id, state_ends, state_only
             FROM outbox
             WHERE event_id = ANY ($2) AND event_id BETWEEN $3 AND $4
               AND context = $1 AND sent_at IS NULL ORDER BY seq",
        )
        .bind(self.context)
        .bind(events)
        .bind(events.iter().min())
        .bind(events.iter().max())
        .fetch_all(&mut self.conn)
        .await?;
        Ok(rows)
    }

    /// Marks rows, given with the place the stream confirmed; the last is the stream's last sequence.
    /// `states` are rows that have no place there.
    pub(super) async fn mark(
        &mut self,
        confirmed: &[(i64, u64)],
        states: &[i64],
    ) -> Result<(), Ended> {
        if confirmed.is_empty() && states.is_empty() {
            return Ok(());
        }
        let last = confirmed.last().map_or(self.last_stream_seq, |(_, last)| *last);
        let (mut seqs, mut places): (Vec<i64>, Vec<Option<i64>>) =
            confirmed.iter().map(|(seq, place)| (*seq, Some(signed(*place)))).unzip();
        seqs.extend(states);
        places.resize(seqs.len(), None);
        let marked = sqlx::query(
            "WITH held AS (
                 UPDATE relay_state SET last_stream_seq = $3 WHERE context = $1 AND epoch = $2 RETURNING epoch
             )
             UPDATE outbox SET sent_at = $4, stream_seq = sent.place
             FROM unnest($5::bigint[], $6::bigint[]) AS sent (seq, place), held
             WHERE outbox.seq = sent.seq",
        )
        .bind(self.context)
        .bind(self.epoch)
        .bind(signed(last))
        .bind(SystemClock::system().now())
        .bind(&seqs)
        .bind(&places)
        .execute(&mut self.conn)
        .await?;
        if marked.rows_affected() == 0 {
            return Err(Ended::Fenced);
        }
        self.last_stream_seq = last;
        Ok(())
    }

    /// Marks what was found in the stream up to `last`: message ids with their places. Ids the outbox does not
    /// have (it was restored from an older copy) are passed over; how many rows were marked is returned.
    pub(super) async fn found(&mut self, found: &[(Uuid, u64)], last: u64) -> Result<i64, Ended> {
        let (ids, places): (Vec<Uuid>, Vec<i64>) =
            found.iter().map(|(id, place)| (*id, signed(*place))).unzip();
        // One statement: rows left unmarked below the known place would be sent a second time.
        let moved: (i64, i64) = sqlx::query_as(
            "WITH held AS (
                 UPDATE relay_state SET last_stream_seq = $3 WHERE context = $1 AND epoch = $2 RETURNING epoch
             ), marked AS (
                 UPDATE outbox SET sent_at = $4, stream_seq = sent.place
                 FROM unnest($5::uuid[], $6::bigint[]) AS sent (event_id, place), held
                 WHERE outbox.event_id = sent.event_id AND outbox.sent_at IS NULL
                 RETURNING seq
             )
             SELECT (SELECT count(*) FROM held), (SELECT count(*) FROM marked)",
        )
        .bind(self.context)
        .bind(self.epoch)
        .bind(signed(last))
        .bind(SystemClock::system().now())
        .bind(&ids)
        .bind(&places)
        .fetch_one(&mut self.conn)
        .await?;
        self.moved(moved, last)
    }

    /// The stream ends at `last`, before what was known: what it lost counts as unsent again.
    pub(super) async fn forget_after(&mut self, last: u64) -> Result<i64, Ended> {
        let moved: (i64, i64) = sqlx::query_as(
            "WITH held AS (
                 UPDATE relay_state SET last_stream_seq = $3 WHERE context = $1 AND epoch = $2 RETURNING epoch
             ), forgotten AS (
                 UPDATE outbox SET sent_at = NULL, stream_seq = NULL FROM held
                 WHERE outbox.context = $1 AND outbox.stream_seq > $3
                 RETURNING seq
             )
             SELECT (SELECT count(*) FROM held), (SELECT count(*) FROM forgotten)",
        )
        .bind(self.context)
        .bind(self.epoch)
        .bind(signed(last))
        .fetch_one(&mut self.conn)
        .await?;
        self.moved(moved, last)
    }

    fn moved(&mut self, (held, rows): (i64, i64), last: u64) -> Result<i64, Ended> {
        if held == 0 {
            return Err(Ended::Fenced);
        }
        self.last_stream_seq = last;
        Ok(rows)
    }

    /// Leaves the lead to another relay at once.
    pub(super) async fn resign(self) {
        if let Err(err) = self.conn.close().await {
            tracing::debug!(error = %err, "session was gone already");
        }
    }
}

fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).expect("a stream's sequence stays below 2^63")
}

fn unsigned(sequence: i64) -> u64 {
    u64::try_from(sequence).expect("only sequences of a stream are written down")
}
