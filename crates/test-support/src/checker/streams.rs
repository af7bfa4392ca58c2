//! What the streams hold, beside what the outboxes and inboxes say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_nats::jetstream::{self, consumer, stream};
use async_nats::{Message, header};
use futures::{Stream, StreamExt};
use prost::Message as _;
use proto::common::v1::EventEnvelope;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::{Broken, Checker};

/// A message that is there comes within it.
const COMES_WITHIN: Duration = Duration::from_secs(20);

/// Streams of facts; beside them are those of states.
pub(super) async fn facts(
    nats: &async_nats::Client,
    prefix: &str,
) -> Result<Vec<String>, async_nats::Error> {
    let prefix = format!("{}_", prefix.to_uppercase());
    let jetstream = jetstream::new(nats.clone());
    let mut names = jetstream.stream_names();
    let mut facts = Vec::new();
    while let Some(name) = names.next().await {
        let name = name?;
        if name.starts_with(&prefix) && !name.ends_with("_STATE") {
            facts.push(name);
        }
    }
    facts.sort();
    Ok(facts)
}

/// A durable consumer of facts.
struct Follower {
    durable: String,
    context: String,
    /// The events it takes; empty for all.
    names: Vec<String>,
    waiting: u64,
    in_hand: u64,
}

async fn followers(checker: &Checker) -> Result<Vec<Follower>, async_nats::Error> {
    let jetstream = jetstream::new(checker.nats.clone());
    let mut followers = Vec::new();
    for name in facts(&checker.nats, &checker.prefix).await? {
        let stream = jetstream.get_stream(&name).await?;
        let context = name[checker.prefix.len() + 1..].to_lowercase();
        let mut consumers = stream.consumers();
        while let Some(info) = consumers.next().await {
            let info = info?;
            let Some(durable) = info.config.durable_name else { continue };
            let mut filters = info.config.filter_subjects;
            filters.extend(Some(info.config.filter_subject).filter(|subject| !subject.is_empty()));
            let name = |subject: &String| subject.split('.').nth(3).map(ToOwned::to_owned);
            followers.push(Follower {
                durable,
                context: context.clone(),
                names: filters.iter().filter_map(name).collect(),
                waiting: info.num_pending,
                in_hand: u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX),
            });
        }
    }
    Ok(followers)
}

/// I9: what consumers still have to take, and which of them the broker has lost.
pub(super) async fn lag(checker: &Checker) -> Result<Vec<Broken>, async_nats::Error> {
    let followers = followers(checker).await?;
    let mut broken = lost(checker, &followers).await?;
    let behind = followers.into_iter().filter(|one| one.waiting + one.in_hand > 0);
    broken.extend(behind.map(|Follower { durable, context, waiting, in_hand, .. }| Broken {
        invariant: 9,
        what: format!(
            "{durable}: {waiting} events of {context} wait, {in_hand} are not acknowledged"
        ),
    }));
    Ok(broken)
}

/// Consumers that a service has had and the broker has not: nothing waits in them.
async fn lost(checker: &Checker, followers: &[Follower]) -> Result<Vec<Broken>, async_nats::Error> {
    let mut broken = Vec::new();
    for schema in &checker.schemas {
        let sql = format!("SELECT consumer, context FROM {schema}.consumers ORDER BY 1, 2");
        let known: Vec<(String, String)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&checker.pool).await?;
        for (durable, context) in known {
            let there = |one: &Follower| one.durable == durable && one.context == context;
            if !followers.iter().any(there) {
                let what = format!("{durable} of {context} is not at the broker");
                broken.push(Broken { invariant: 9, what });
            }
        }
    }
    Ok(broken)
}

/// I2: every event is in its stream, and in the inbox of everybody who takes it. I3: no aggregate goes back.
pub(super) async fn look(checker: &Checker) -> Result<Vec<Broken>, async_nats::Error> {
    let mut broken = Vec::new();
    let streams = facts(&checker.nats, &checker.prefix).await?;
    for context in &checker.schemas {
        let stream = format!("{}_{context}", checker.prefix).to_uppercase();
        // One that is not there holds nothing.
        let messages =
            if streams.contains(&stream) { read(checker, &stream).await? } else { Vec::new() };
        broken.extend(order(&stream, &messages));
        let sql = format!(
            "SELECT event_id FROM {context}.outbox WHERE context = '{context}' AND stream_seq IS NOT NULL"
        );
        let told: BTreeSet<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&checker.pool)
            .await?
            .into_iter()
            .collect();
        let held: BTreeSet<Uuid> = messages.iter().map(|message| message.id).collect();
        let missing = told.difference(&held).count();
        if missing > 0 {
            broken.push(Broken { invariant: 2, what: format!("{stream} lacks {missing} events") });
        }
    }
    for Follower { durable, context, names, .. } in followers(checker).await? {
        let schema = durable.split("--").next().unwrap_or_default().replace('-', "_");
        let sql = format!(
            "SELECT name, count(*) FROM {context}.outbox AS told
             WHERE context = $1 AND stream_seq IS NOT NULL AND NOT state_only AND (cardinality($3::text[]) = 0 OR name = ANY ($3)) AND NOT EXISTS (
                 SELECT FROM {schema}.inbox WHERE consumer = $2 AND inbox.event_id = told.event_id
             ) AND NOT EXISTS (
                 SELECT FROM {schema}.parked_events AS parked WHERE consumer = $2 AND parked.event_id = told.event_id
             ) GROUP BY name"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(&context).bind(&durable).bind(&names);
        for row in rows.fetch_all(&checker.pool).await? {
            let (name, count): (String, i64) = (row.get(0), row.get(1));
            broken.push(Broken {
                invariant: 2,
                what: format!("{durable} never took {count} {name}"),
            });
        }
    }
    Ok(broken)
}

struct Held {
    id: Uuid,
    key: String,
    version: u64,
    /// Published by the relay: only it names the message by its event.
    ours: bool,
}

async fn read(checker: &Checker, name: &str) -> Result<Vec<Held>, async_nats::Error> {
    let mut held = Vec::new();
    for message in messages(&checker.nats, name).await? {
        let named =
            message.headers.as_ref().and_then(|headers| headers.get(header::NATS_MESSAGE_ID));
        let ours = named.is_some();
        // What cannot be read was put there by a test.
        let Ok(envelope) = EventEnvelope::decode(message.payload.as_ref()) else { continue };
        let Ok(id) = envelope.id.parse() else { continue };
        held.push(Held { id, key: envelope.subject, version: envelope.version, ours });
    }
    Ok(held)
}

/// What a stream holds, in its order.
pub(super) async fn messages(
    nats: &async_nats::Client,
    name: &str,
) -> Result<Vec<Message>, async_nats::Error> {
    let stream = jetstream::new(nats.clone()).get_stream(name).await?;
    let stream::State { messages: count, .. } = stream.cached_info().state;
    let config = consumer::pull::OrderedConfig {
        deliver_policy: consumer::DeliverPolicy::All,
        ..Default::default()
    };
    let mut held = Vec::new();
    if count == 0 {
        return Ok(held);
    }
    let mut messages = stream.create_consumer(config).await?.messages().await?;
    for _ in 0..count {
        held.push(next(&mut messages, COMES_WITHIN).await??.split().0);
    }
    Ok(held)
}

/// The next of those that were counted: where one was lost since, none comes.
async fn next<S: Stream + Unpin>(
    messages: &mut S,
    within: Duration,
) -> Result<S::Item, async_nats::Error> {
    let next = tokio::time::timeout(within, messages.next()).await;
    next.ok().flatten().ok_or_else(|| "a message that a stream is to hold does not come".into())
}

/// Repeats are harmless; the first time an event is met its aggregate must not have been further already.
fn order(stream: &str, messages: &[Held]) -> Vec<Broken> {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen: BTreeMap<Uuid, u32> = BTreeMap::new();
    let mut back = 0;
    for message in messages.iter().filter(|message| message.ours) {
        let times = seen.entry(message.id).or_default();
        *times += 1;
        if *times > 1 || message.version == 0 {
            continue;
        }
        let newest = newest.entry(&message.key).or_default();
        back += u32::from(message.version < *newest);
        *newest = message.version.max(*newest);
    }
    let twice = seen.values().filter(|times| **times > 1).count();
    let mut broken = Vec::new();
    if back > 0 {
        broken.push(Broken {
            invariant: 3,
            what: format!("{stream}: {back} events came after a newer one"),
        });
    }
    if twice > 0 {
        broken.push(Broken {
            invariant: 2,
            what: format!("{stream}: {twice} events were published twice"),
        });
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(id: u128, version: u64) -> Held {
        Held { id: Uuid::from_u128(id), key: "ticket".to_owned(), version, ours: true }
    }

    #[test]
    fn an_older_version_after_a_newer_one_is_seen_and_so_is_an_event_that_was_published_twice() {
        assert_eq!(order("S", &[held(1, 1), held(2, 2), held(3, 0)]), []);
        let stray = Held { ours: false, ..held(1, 1) };
        assert_eq!(order("S", &[held(1, 1), held(2, 2), stray]), []);
        assert_eq!(order("S", &[held(2, 2), held(1, 1)])[0].invariant, 3);
        assert_eq!(order("S", &[held(1, 1), held(1, 1)])[0].invariant, 2);
    }

    #[tokio::test]
    async fn a_message_that_never_comes_is_not_waited_for_without_end() {
        let mut never = futures::stream::pending::<()>();
        let answer = next(&mut never, Duration::from_millis(1));
        let answer = tokio::time::timeout(Duration::from_secs(1), answer).await;
        answer.expect("an answer in time").expect_err("nothing came");
    }
}
