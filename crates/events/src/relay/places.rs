//! What the outbox knows of the places its facts have in the stream.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use types::SystemClock;
use uuid::Uuid;

use super::Ended;
use super::lead::{Lead, Unsent, held_by, select_facts, signed, unsigned};

/// Taken back in one statement, which must end well before the session's time limit.
const CHUNK: i64 = 5000;

impl Lead {
    /// The first place a fact kept here has; where there is none, the one after the last that was known.
    pub(super) async fn lowest_place(&mut self) -> Result<u64, Ended> {
        let lowest: Option<i64> = sqlx::query_scalar(
            "SELECT stream_seq FROM outbox WHERE context = $1 AND stream_seq IS NOT NULL
             ORDER BY stream_seq LIMIT 1",
        )
        .bind(self.context)
        .fetch_optional(&mut self.conn)
        .await?;
        Ok(lowest.map_or(self.last_stream_seq + 1, unsigned))
    }

    /// The fact with the highest place up to `place`, and when it was sent.
    pub(super) async fn fact_at_most(
        &mut self,
        place: u64,
    ) -> Result<Option<(u64, Uuid, DateTime<Utc>)>, Ended> {
        let found: Option<(i64, Uuid, DateTime<Utc>)> = sqlx::query_as(
            "SELECT stream_seq, event_id, sent_at FROM outbox WHERE context = $1 AND stream_seq <= $2
             ORDER BY stream_seq DESC LIMIT 1",
        )
        .bind(self.context)
        .bind(signed(place))
        .fetch_optional(&mut self.conn)
        .await?;
        Ok(found.map(|(place, id, sent_at)| (unsigned(place), id, sent_at)))
    }

    /// Facts with places above `place`, in the order of these.
    pub(super) async fn facts_above(
        &mut self,
        place: u64,
        limit: u16,
    ) -> Result<Vec<Unsent>, Ended> {
        let rows = sqlx::query_as(select_facts!(
            "WHERE context = $1 AND stream_seq > $2 ORDER BY stream_seq LIMIT $3"
        ))
        .bind(self.context)
        .bind(signed(place))
        .bind(i64::from(limit))
        .fetch_all(&mut self.conn)
        .await?;
        Ok(rows)
    }

    /// Those of the given facts that are here and not marked, in their order.
    pub(super) async fn unmarked(&mut self, ids: &[Uuid]) -> Result<Vec<Unsent>, Ended> {
        let mut rows: Vec<Unsent> = sqlx::query_as(select_facts!(
            "WHERE context = $1 AND sent_at IS NULL AND event_id = ANY($2)"
        ))
        .bind(self.context)
        .bind(ids)
        .fetch_all(&mut self.conn)
        .await?;
        // Here: asked for the order, the database would go through all that is unsent.
        rows.sort_unstable_by_key(|row| row.seq);
        Ok(rows)
    }

    /// States told again and erasures that stand before the newest of these rows of the same aggregate count as sent:
    /// what came after them is published. Twice changes nothing.
    pub(super) async fn overtake(&mut self, rows: &[Unsent]) -> Result<(), Ended> {
        let told = rows.iter().filter_map(|row| Some((row.state()?, row.seq)));
        // In their order, so that the last of an aggregate stays.
        let newest: HashMap<_, i64> = told.collect();
        let Some(below) = newest.values().max() else { return Ok(()) };
        // All of them at once and compared here: joined to the rows given, the database would go through what is
        // unsent for each of these.
        let unsent: Vec<(Uuid, i64, String, String)> = sqlx::query_as(
            "SELECT event_id, seq, state_kind, state_id FROM outbox
             WHERE sent_at IS NULL AND context = $1 AND state_only AND seq < $2",
        )
        .bind(self.context)
        .bind(below)
        .fetch_all(&mut self.conn)
        .await?;
        let older: Vec<Uuid> = unsent
            .iter()
            .filter(|(_, seq, kind, id)| {
                newest.get(&(kind.as_str(), id.as_str())).is_some_and(|newest| seq < newest)
            })
            .map(|(event_id, ..)| *event_id)
            .collect();
        if older.is_empty() {
            return Ok(());
        }
        let held = sqlx::query(
            "WITH held AS (
                 SELECT FROM relay_state WHERE context = $1 AND epoch = $2 FOR UPDATE
             ), overtaken AS (
                 UPDATE outbox SET sent_at = $3 FROM held, unnest($4::uuid[]) AS older (event_id)
                 WHERE outbox.event_id = older.event_id
             )
             SELECT FROM held",
        )
        .bind(self.context)
        .bind(self.epoch())
        .bind(SystemClock::system().now())
        .bind(&older)
        .execute(&mut self.conn)
        .await?;
        held_by(held.rows_affected())
    }

    /// Notes other places for facts before they are published there.
    pub(super) async fn move_to(&mut self, moved: &[(Uuid, u64)]) -> Result<(), Ended> {
        let (ids, places): (Vec<Uuid>, Vec<i64>) =
            moved.iter().map(|(id, place)| (*id, signed(*place))).unzip();
        let held = sqlx::query(
            "WITH held AS (
                 SELECT FROM relay_state WHERE context = $1 AND epoch = $2 FOR UPDATE
             ), moved AS (
                 UPDATE outbox SET stream_seq = other.place
                 FROM held, unnest($3::uuid[], $4::bigint[]) AS other (event_id, place)
                 WHERE outbox.event_id = other.event_id AND outbox.sent_at IS NOT NULL
             )
             SELECT FROM held",
        )
        .bind(self.context)
        .bind(self.epoch())
        .bind(&ids)
        .bind(&places)
        .execute(&mut self.conn)
        .await?;
        held_by(held.rows_affected())
    }

    /// Facts within the given places, both ends included, that were sent after `since` count as unsent again: they
    /// are published behind all others. Their states are not told again, newer ones may be known by now.
    pub(super) async fn take_back(
        &mut self,
        places: &[(u64, u64)],
        since: DateTime<Utc>,
    ) -> Result<u64, Ended> {
        let (lows, highs): (Vec<i64>, Vec<i64>) =
            places.iter().map(|(low, high)| (signed(*low), signed(*high))).unzip();
        let mut total = 0;
        loop {
            let (held, taken): (i64, i64) = sqlx::query_as(
                "WITH held AS (
                     SELECT FROM relay_state WHERE context = $1 AND epoch = $2 FOR UPDATE
                 ), chosen AS (
                     SELECT event_id FROM unnest($3::bigint[], $4::bigint[]) AS place (low, high)
                     CROSS JOIN LATERAL (
                         SELECT event_id FROM outbox
                         WHERE context = $1 AND stream_seq BETWEEN place.low AND place.high AND sent_at > $5
                         ORDER BY stream_seq DESC LIMIT $6
                     ) AS fact LIMIT $6
                 ), taken AS (
                     UPDATE outbox
                     SET sent_at = NULL, stream_seq = NULL, state_kind = NULL, state_id = NULL, state_ends = false
                     FROM held, chosen WHERE outbox.event_id = chosen.event_id
                     RETURNING seq
                 )
                 SELECT (SELECT count(*) FROM held), (SELECT count(*) FROM taken)",
            )
            .bind(self.context)
            .bind(self.epoch())
            .bind(&lows)
            .bind(&highs)
            .bind(since)
            .bind(CHUNK)
            .fetch_one(&mut self.conn)
            .await?;
            held_by(unsigned(held))?;
            if taken == 0 {
                return Ok(total);
            }
            total += unsigned(taken);
        }
    }

    /// When somebody asked for facts to be sent once more: the next of them count as unsent again. Says how many, and
    /// forgets the request once there are none left.
    pub(super) async fn replay_next(&mut self, limit: u16) -> Result<u64, Ended> {
        if !self.is_asked().await? {
            return Ok(0);
        }
        let taken = sqlx::query(
            "WITH asked AS (
                 SELECT replay_from, replay_to FROM relay_state
                 WHERE context = $1 AND epoch = $2 AND replay_from IS NOT NULL FOR UPDATE
             ), chosen AS (
                 SELECT fact.event_id FROM asked CROSS JOIN LATERAL (
                     SELECT event_id FROM outbox
                     WHERE context = $1 AND sent_at IS NOT NULL AND NOT state_only
                       AND event_id > asked.replay_from AND event_id < asked.replay_to
                     ORDER BY event_id LIMIT $3
                 ) AS fact
             ), moved AS (
                 UPDATE relay_state SET replay_from = next.id, replay_to = CASE WHEN next.id IS NULL THEN NULL ELSE asked.replay_to END
                 FROM asked, (SELECT (SELECT event_id FROM chosen ORDER BY event_id DESC LIMIT 1) AS id) AS next
                 WHERE relay_state.context = $1
             )
             UPDATE outbox SET sent_at = NULL, stream_seq = NULL, state_kind = NULL, state_id = NULL, state_ends = false
             FROM chosen WHERE outbox.event_id = chosen.event_id",
        )
        .bind(self.context)
        .bind(self.epoch())
        .bind(i64::from(limit))
        .execute(&mut self.conn)
        .await?;
        Ok(taken.rows_affected())
    }
}
