//! Brings the outbox and the stream to one view: on taking the lead, after any doubt, and now and then.
//!
//! The outbox is the record. What the stream holds and the outbox does not know of is marked; what the outbox knows
//! and the stream has lost is published again. A consumer that has it already knows it by its inbox.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::stream::Stream;
use chrono::{DateTime, TimeDelta, Utc};
use service::{Scope, Store, StoreError};
use types::SystemClock;

use super::lead::{Lead, Unsent};
use super::publish::Outlet;
use super::state::States;
use super::{Ended, tail};
use crate::alert::{self, Kind};
use crate::halt::{Halt, Point};

/// Between the broker's clock and ours; what expires within it may count as lost and is then sent once more.
const CLOCKS_APART: TimeDelta = TimeDelta::hours(1);

/// The stream with what is published to it and how it is kept.
pub(super) struct Sight<'a> {
    pub(super) store: &'a Store,
    pub(super) stream: &'a Stream,
    pub(super) max_age: Duration,
    pub(super) batch: u16,
    pub(super) halt: Option<&'a Halt>,
}

impl Sight<'_> {
    /// Afterwards every row is marked exactly if its message is in the stream, as far as both reach back. `false` when
    /// something was lost: rows that were read before may count as unsent again.
    pub(super) async fn settle(
        &self,
        lead: &mut Lead,
        outlet: &mut Outlet<'_>,
        states: &mut States,
    ) -> Result<bool, Ended> {
        let state = lead.hold(self.stream.get_info()).await?.map_err(Ended::broker)?.state;
        let last = state.last_sequence;
        let mut whole = true;
        if self.is_foreign(lead, state.first_sequence, last).await? {
            let taken =
                lead.take_back(&[(0, i64::MAX.unsigned_abs())], DateTime::UNIX_EPOCH).await?;
            lead.know(last).await?;
            whole = false;
            self.lost(lead, "the stream is another one, publishing all again", taken).await?;
        } else if last < lead.last_stream_seq {
            whole = false;
            self.lost(lead, "the stream has lost its tail, publishing it again", 0).await?;
            self.rebuild(lead, outlet, last).await?;
        } else {
            self.read_back(lead, states, last).await?;
        }
        let since = self.expired(SystemClock::system().now());
        // A young fact below the first message did not expire: the head was purged.
        if let Some(below) = state.first_sequence.checked_sub(1)
            && let Some((_, _, sent_at)) = lead.fact_at_most(below).await?
            && sent_at > since
        {
            let taken = lead.take_back(&[(0, below)], since).await?;
            whole = false;
            self.lost(lead, "the stream has lost its head, publishing it again", taken).await?;
        }
        if state.deleted_count.is_some_and(|count| count > 0) {
            let asking = self.stream.info_builder().with_deleted(true).fetch();
            let info = lead.hold(asking).await?.map_err(Ended::broker)?;
            let deleted = runs(info.info.state.deleted.as_deref().unwrap_or_default());
            let taken = lead.take_back(&deleted, since).await?;
            if taken > 0 {
                whole = false;
                let what = "the stream has lost messages, publishing them again";
                self.lost(lead, what, taken).await?;
            }
        }
        if whole {
            self.tell(lead, None).await?;
        }
        Ok(whole)
    }

    fn expired(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let age = TimeDelta::from_std(self.max_age).unwrap_or(TimeDelta::MAX) - CLOCKS_APART;
        now.checked_sub_signed(age).unwrap_or(DateTime::UNIX_EPOCH)
    }

    async fn lost(&self, lead: &mut Lead, what: &str, rows: u64) -> Result<(), Ended> {
        let stream = &self.stream.cached_info().config.name;
        tracing::error!(stream, rows, known = lead.last_stream_seq, "{what}");
        metrics::counter!("outbox_rebuilt_total", "context" => lead.context).increment(rows);
        self.tell(lead, Some(what)).await
    }

    /// Raises the alert of a loss once, and clears it when the stream is next found whole.
    async fn tell(&self, lead: &mut Lead, what: Option<&str>) -> Result<(), Ended> {
        let (context, epoch) = (lead.context, lead.epoch);
        let stream = &self.stream.cached_info().config.name;
        let telling = async {
            let mut tx = self.store.begin(Scope::System("tell of a lost stream")).await?;
            let told = sqlx::query(
                "UPDATE relay_state SET loss_told = $3 WHERE context = $1 AND epoch = $2 AND loss_told <> $3",
            )
            .bind(context)
            .bind(epoch)
            .bind(what.is_some())
            .execute(&mut *tx)
            .await?;
            if told.rows_affected() == 0 {
                return Ok(());
            }
            match what {
                Some(what) => alert::raise(&mut tx, context, Kind::StreamLost, stream, what).await,
                None => alert::clear(&mut tx, context, Kind::StreamLost, stream).await,
            }?;
            tx.commit().await
        };
        let told: Result<(), StoreError> = lead.hold(telling).await?;
        Ok(told?)
    }

    /// Whether the newest fact that both should hold is another message there.
    async fn is_foreign(&self, lead: &mut Lead, first: u64, last: u64) -> Result<bool, Ended> {
        let common = last.min(lead.last_stream_seq);
        let Some((place, id, _)) = lead.fact_at_most(common).await? else { return Ok(false) };
        if place < first {
            return Ok(false);
        }
        let held = lead.hold(tail::id_at(self.stream, place)).await?.map_err(Ended::broker)?;
        Ok(held.is_some_and(|(_, found)| found != Some(id)))
    }

    /// Marks what was published without its confirmation having come. Messages the outbox does not know (it was
    /// restored from an older copy) are passed over. States told again have no place to be found by: one that stands
    /// before a fact read back would be published behind its state.
    async fn read_back(
        &self,
        lead: &mut Lead,
        states: &mut States,
        last: u64,
    ) -> Result<(), Ended> {
        let from = lead.last_stream_seq + 1;
        if from > last {
            return Ok(());
        }
        let reading = tail::Ids::between(self.stream, from, last);
        let mut ids = lead.hold(reading).await?.map_err(Ended::broker)?;
        loop {
            let held = lead.hold(ids.next()).await?.map_err(Ended::broker)?;
            let Some((to, _)) = held.last().copied() else { break };
            let places: HashMap<_, _> =
                held.iter().filter_map(|(place, id)| Some(((*id)?, *place))).collect();
            let known: Vec<_> = places.keys().copied().collect();
            let rows = lead.unmarked(&known).await?;
            let at: Vec<_> = rows.iter().map(|row| places.get(&row.event_id).copied()).collect();
            states.publish(lead, &rows).await?;
            // Before the mark: the next leader would not find these facts again.
            lead.overtake(&rows).await?;
            tracing::info!(from, to, own = rows.len(), "read back what the stream holds");
            lead.mark(&rows, &at, to).await?;
        }
        // The last ones may be deleted.
        lead.know(last).await
    }

    /// The stream ends at `last`, before what was known: its facts are published again in the order of their places,
    /// and get the same ones. Killed in between, the next leader goes on where the stream ends then.
    async fn rebuild(
        &self,
        lead: &mut Lead,
        outlet: &mut Outlet<'_>,
        last: u64,
    ) -> Result<(), Ended> {
        let stream = &self.stream.cached_info().config.name;
        let (mut end, mut facts) = (last, lead.facts_above(last, self.batch).await?);
        while let Some(highest) = facts.last().and_then(|fact| fact.stream_seq) {
            self.shift(lead, end, &facts).await?;
            let rows: Vec<&Unsent> = facts.iter().collect();
            let (done, mut next) = (tokio::sync::Notify::new(), Vec::new());
            let publishing = async {
                let confirmed = outlet.publish(end, &rows).await;
                done.notify_one();
                confirmed
            };
            let reading = async {
                next = lead.facts_above(highest.unsigned_abs(), self.batch).await?;
                lead.hold(done.notified()).await
            };
            let (confirmed, read) = tokio::join!(publishing, reading);
            read?;
            Halt::pass(self.halt, Point::BeforeMark).await;
            end += confirmed as u64;
            metrics::counter!("outbox_rebuilt_total", "context" => lead.context)
                .increment(confirmed as u64);
            if confirmed < facts.len() {
                return Err(Ended::Broker("the stream could not be rebuilt yet".to_owned()));
            }
            facts = next;
        }
        tracing::info!(stream, from = last, to = end, "the stream is whole again");
        lead.know(end).await
    }

    /// Where places are missing in between (messages that were not ours, or had been sent again), all behind them
    /// move down. That is written first, so that nothing is taken for lost that was just published.
    async fn shift(&self, lead: &mut Lead, end: u64, facts: &[Unsent]) -> Result<(), Ended> {
        let moved: Vec<_> = (end + 1..)
            .zip(facts)
            .filter(|(place, fact)| fact.stream_seq.map(i64::unsigned_abs) != Some(*place))
            .map(|(place, fact)| (fact.event_id, place))
            .collect();
        if moved.is_empty() { Ok(()) } else { lead.move_to(&moved).await }
    }
}

/// Places in ascending order as runs of neighbours.
fn runs(places: &[u64]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for place in places {
        match runs.last_mut() {
            Some((_, high)) if *high + 1 == *place => *high = *place,
            _ => runs.push((*place, *place)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn neighbours_are_one_run() {
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[3, 4, 5, 9, 11, 12]), [(3, 5), (9, 9), (11, 12)]);
    }
}
