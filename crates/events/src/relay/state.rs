//! The newest state of each aggregate, beside the facts.

use std::collections::HashSet;

use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
    NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_TTL,
};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::{Client, HeaderMap, Request};
use serde::Deserialize;
use types::EventId;

use super::Ended;
use super::lead::{Lead, Unsent, held_by, signed};
use super::publish::batch_size;
use crate::announce;
use crate::bus::Bus;
use crate::halt::{Halt, Point};
use crate::states::{
    COMPLETE_ID, COMPLETE_KIND, ENDED_STAYS, ERASURE, state_stream, state_subject,
};

/// Publishes the states among the rows of one term of leadership.
pub(super) struct States {
    /// Empty for a context that has no states.
    open: Option<Open>,
    halt: Option<Halt>,
}

struct Open {
    client: Client,
    prefix: String,
    stream: Stream<()>,
    /// The stream's last sequence: a leader that was replaced expects an older one and is refused.
    last: u64,
}

impl States {
    pub(super) fn new(halt: Option<Halt>) -> Self {
        Self { open: None, halt }
    }

    /// Makes the stream if it is missing, and reads how far it goes. Where it has lost something it is emptied, and
    /// the owner is asked to tell everything again.
    pub(super) async fn look(&mut self, bus: &Bus, lead: &mut Lead) -> Result<(), Ended> {
        if proto::state_kinds(lead.context).is_empty() {
            return Ok(());
        }
        let config = state_stream(&bus.prefix, lead.context, bus.replicas);
        let name = config.name.clone();
        let kept = lead.hold(bus.jetstream.create_or_update_stream(config)).await?;
        let last = kept.map_err(Ended::broker)?.state.last_sequence;
        let stream = lead.hold(bus.jetstream.get_stream_no_info(name)).await?;
        let stream = stream.map_err(Ended::broker)?;
        let open =
            Open { client: bus.nats.client().clone(), prefix: bus.prefix.clone(), stream, last };
        let (context, known) = (lead.context, known(lead).await?);
        if last < known {
            tracing::error!(
                context,
                known,
                last,
                "states were lost, every live aggregate is told again"
            );
            // Only up to what was seen: should this be late, it takes nothing that came since.
            let purging = open.stream.purge().sequence(last + 1).into_future();
            lead.hold(purging).await?.map_err(Ended::broker)?;
            ask_again(lead, last).await?;
        } else if !open.is_complete(lead).await? && is_told(lead).await? {
            tracing::error!(context, "states are missing, every live aggregate is told again");
            ask_again(lead, last).await?;
        }
        lead.know_states(open.last).await?;
        self.open = Some(open);
        Ok(())
    }

    /// Called with rows whose facts the stream has confirmed, before they are marked: a marked row's state is
    /// published. Of several rows of one aggregate the last counts.
    pub(super) async fn publish(&mut self, lead: &mut Lead, rows: &[Unsent]) -> Result<(), Ended> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut known = HashSet::new();
        let mut newest = Vec::new();
        for row in rows.iter().rev() {
            let Some((kind, id)) = row.state() else { continue };
            let subject = state_subject(&open.prefix, lead.context, kind, id);
            if known.insert(subject.clone()) {
                newest.push((subject, row));
            }
        }
        if newest.is_empty() {
            return Ok(());
        }
        Halt::pass(self.halt.as_ref(), Point::BeforeStates).await;
        newest.reverse();
        let (erased, told): (Vec<_>, Vec<_>) =
            newest.into_iter().partition(|(_, row)| row.name == ERASURE);
        let mut left = told.as_slice();
        while !left.is_empty() {
            let rows: Vec<&Unsent> = left.iter().map(|(_, row)| *row).collect();
            let (batch, after) = left.split_at(batch_size(&rows));
            open.last = lead.hold(open.publish(batch)).await??;
            left = after;
        }
        if !told.is_empty() {
            lead.know_states(open.last).await?;
            metrics::counter!("events_states_published_total", "context" => lead.context)
                .increment(u64::try_from(told.len()).unwrap_or_default());
        }
        open.erase(lead, erased).await
    }
}

/// The broker's answer to a batch.
#[derive(Deserialize)]
struct Answer {
    seq: Option<u64>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    description: String,
}

impl Open {
    /// Publishes all in one atomic batch and gives the stream's new last sequence.
    async fn publish(&self, states: &[(String, &Unsent)]) -> Result<u64, Ended> {
        let id = EventId::new().to_string();
        let mut answer = None;
        for (place, (subject, row)) in states.iter().enumerate() {
            let mut headers = HeaderMap::new();
            headers.insert(NATS_BATCH_ID, id.as_str());
            headers.insert(NATS_BATCH_SEQUENCE, (place + 1).to_string());
            if place == 0 {
                headers.insert(NATS_EXPECTED_LAST_SEQUENCE, self.last.to_string());
            }
            if row.state_ends {
                headers.insert(NATS_MESSAGE_TTL, ENDED_STAYS.as_secs().to_string());
            }
            let payload = row.payload.clone().into();
            if place + 1 < states.len() {
                let sending = self.client.publish_with_headers(subject.clone(), headers, payload);
                sending.await.map_err(Ended::broker)?;
                continue;
            }
            headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
            let request = Request::new().headers(headers).payload(payload);
            let answered = self.client.send_request(subject.clone(), request).await;
            answer = Some(answered.map_err(Ended::broker)?);
        }
        let answer = answer.ok_or_else(|| Ended::broker("an empty batch"))?;
        match serde_json::from_slice(&answer.payload).map_err(Ended::broker)? {
            Answer { seq: Some(seq), error: None } => Ok(seq),
            Answer { error, .. } => {
                let why = error.map_or_else(|| "no sequence".to_owned(), |error| error.description);
                Err(Ended::Broker(format!("the states were refused: {why}")))
            }
        }
    }

    /// Takes states out, up to what is known of the stream: one that is late takes none that another leader told since.
    async fn erase(&self, lead: &mut Lead, erased: Vec<(String, &Unsent)>) -> Result<(), Ended> {
        if erased.is_empty() {
            return Ok(());
        }
        for (subject, _) in erased {
            let purging = self.stream.purge().filter(subject).sequence(self.last + 1).into_future();
            lead.hold(purging).await?.map_err(Ended::broker)?;
        }
        let info = lead.hold(self.stream.get_info()).await?.map_err(Ended::broker)?;
        // Behind it may stand what was to be erased, told by a leader that was replaced meanwhile.
        if info.state.last_sequence == self.last {
            Ok(())
        } else {
            Err(Ended::broker("another leader told states"))
        }
    }

    /// Whether everything that is alive was told into this stream.
    async fn is_complete(&self, lead: &mut Lead) -> Result<bool, Ended> {
        let mark = state_subject(&self.prefix, lead.context, COMPLETE_KIND, COMPLETE_ID);
        match lead.hold(self.stream.get_last_raw_message_by_subject(&mark)).await? {
            Ok(_) => Ok(true),
            Err(err) if err.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(false),
            Err(err) => Err(Ended::broker(err)),
        }
    }
}

async fn known(lead: &mut Lead) -> Result<u64, Ended> {
    let known: i64 =
        sqlx::query_scalar("SELECT last_state_seq FROM relay_state WHERE context = $1")
            .bind(lead.context)
            .fetch_one(&mut lead.conn)
            .await?;
    Ok(u64::try_from(known).unwrap_or_default())
}

/// Forgets what was known of the stream behind `last` together with the asking: killed in between, it would not be
/// found wanting again. Where it fails the term ends, and with its session what was begun here.
async fn ask_again(lead: &mut Lead, last: u64) -> Result<(), Ended> {
    sqlx::raw_sql("BEGIN").execute(&mut lead.conn).await?;
    let held =
        sqlx::query("UPDATE relay_state SET last_state_seq = $3 WHERE context = $1 AND epoch = $2")
            .bind(lead.context)
            .bind(lead.epoch)
            .bind(signed(last))
            .execute(&mut lead.conn)
            .await?;
    held_by(held.rows_affected())?;
    announce::ask(&mut lead.conn, lead.context).await?;
    sqlx::raw_sql("COMMIT").execute(&mut lead.conn).await?;
    metrics::counter!("events_states_lost_total", "context" => lead.context).increment(1);
    Ok(())
}

/// Whether the owner has told everything, and the mark of it is not waiting to be published.
async fn is_told(lead: &mut Lead) -> Result<bool, Ended> {
    let told = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM announcements WHERE context = $1 AND done_at IS NOT NULL)
            AND NOT EXISTS (SELECT FROM outbox
                            WHERE sent_at IS NULL AND context = $1 AND state_only AND state_kind = $2)",
    )
    .bind(lead.context)
    .bind(COMPLETE_KIND)
    .fetch_one(&mut lead.conn)
    .await?;
    Ok(told)
}
