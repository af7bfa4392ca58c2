//! What a relay does with more than a few facts at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::header::{NATS_BATCH_ID, NATS_BATCH_SEQUENCE};
use events::testing::{Halt, Point};
use events::{Bus, Pace, Relay, subject};
use rand::Rng;
use servers::PrivateNats;
use service::Scope;
use sqlx::PgPool;
use test_support::{NetFault, eventually};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::streamed::assert_same;
use crate::world::{CONTEXT, Recorder, World, at, quick, until_forgotten};

#[tokio::test]
async fn a_backlog_is_in_the_stream_once_and_in_order_whatever_was_killed_when() {
    let mut world = World::new().await;
    world.publish_all(0..3500).await;
    for point in [Point::BeforePublish, Point::BeforeMark, Point::BeforePublish, Point::BeforeMark]
    {
        let halt = Halt::at(point);
        let mut killed = JoinSet::new();
        killed.spawn(world.replica().await.halted(halt.clone()).run(world.stop.clone()));
        halt.reached().await;
        killed.shutdown().await;
    }
    // Each of the two that were killed with a batch confirmed had not marked it.
    world.until_streamed(2000).await;
    assert_eq!(world.placed().await.len(), 1000);
    until_forgotten().await;

    world.relay().await;
    world.until_sent().await;
    let messages = world.messages().await;
    assert!(messages.iter().all(|(_, _, batched)| *batched), "a backlog goes in batches");
    let ids: Vec<String> = messages.into_iter().map(|(_, id, _)| id).collect();
    assert_same(&ids, &world.written().await);
    assert_same(&world.placed().await, &world.held().await);
    world.shut_down().await;
}

#[tokio::test]
async fn a_few_facts_go_one_by_one_and_some_more_together() {
    let mut world = World::new().await;
    world.publish_all(0..15).await;
    world.relay().await;
    world.until_sent().await;
    world.publish_all(15..31).await;
    world.until_sent().await;
    let messages = world.messages().await;
    let batched: Vec<bool> = messages.iter().map(|(_, _, batched)| *batched).collect();
    assert_eq!(batched, [[false; 15].as_slice(), [true; 16].as_slice()].concat());
    world.shut_down().await;
}

#[tokio::test]
async fn a_few_facts_are_on_their_way_together() {
    const FACTS: usize = 10;
    const ONE_WAY: Duration = Duration::from_millis(200);
    let mut world = World::new().await;
    let (nats, proxy) = world.nats_behind_proxy().await;
    let store = world.database.store(CONTEXT).await;
    let patient = Pace { confirmation: Duration::from_secs(20), ..quick() };
    let relay = Relay::new(Bus::new(nats, world.prefix.clone()), store, CONTEXT);
    world.running.spawn(relay.with_pace(patient).run(world.stop.clone()));
    world.publish(0..1).await;
    world.until_sent().await;
    proxy.set(NetFault::Latency(ONE_WAY));
    let started = Instant::now();
    world.publish_all(1..1 + FACTS).await;
    world.until_sent().await;
    let took = started.elapsed();
    proxy.set(NetFault::None);
    let one_by_one = 2 * ONE_WAY * u32::try_from(FACTS).unwrap();
    assert!(took > ONE_WAY, "{took:?}: they did not go through the proxy");
    assert!(took < one_by_one / 2, "{took:?}: one by one they take {one_by_one:?}");
    assert!(world.messages().await.iter().all(|(_, _, batched)| !batched), "as singles");
    world.shut_down().await;
}

#[tokio::test]
async fn a_leader_that_slept_over_a_batch_is_refused_by_the_broker() {
    let mut world = World::new().await;
    world.publish_all(0..150).await;
    let halt = Halt::at(Point::BeforePublish);
    let stop = CancellationToken::new();
    let sleepy = Pace { idle_timeout: Duration::from_millis(300), ..quick() };
    let mut sleeper = JoinSet::new();
    sleeper.spawn(world.replica().await.with_pace(sleepy).halted(halt.clone()).run(stop.clone()));
    halt.reached().await;

    world.relay().await;
    world.until_sent().await;
    until_forgotten().await;
    halt.release();
    // It has woken when it stands by again; shutdown waits for that.
    stop.cancel();
    sleeper.join_all().await;
    assert_same(&world.streamed().await, &world.written().await);
    world.shut_down().await;
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let nats = PrivateNats::start(folder.path(), true, None).unwrap();
    let mut world = World::on(&nats.url(), "sitepass".to_owned()).await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(0..10).await;
    world.until_effects(10).await;

    nats.pause();
    world.publish_all(10..510).await;
    // Longer than the relay waits for a confirmation: the outcome is unknown to it.
    let started = Instant::now();
    eventually("the relay to be in doubt", async || {
        (started.elapsed() > quick().confirmation * 3 / 2).then_some(())
    })
    .await;
    nats.resume();
    world.until_sent().await;
    assert_same(&world.streamed().await, &world.written().await);
    world.until_effects(510).await;
    world.shut_down().await;
    world.assert_effects_once(510).await;
}

#[tokio::test]
async fn a_broker_that_could_take_no_batch_just_now_is_sent_the_next_one() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..1).await;
    world.until_sent().await;
    // As many as a stream keeps open.
    let opened: Vec<String> = (0..50).map(|number| format!("open-{number}")).collect();
    for batch in &opened {
        part_of(&world, batch, 1).await;
    }
    world.client.flush().await.unwrap();
    world.publish_all(1..201).await;
    world.until_sent().await;
    assert!(world.messages().await.iter().all(|(_, _, batched)| !batched), "one by one");

    // One that lacks a part is given up.
    for batch in &opened {
        part_of(&world, batch, 3).await;
    }
    world.client.flush().await.unwrap();
    world.publish_all(201..401).await;
    world.until_sent().await;
    let messages = world.messages().await;
    assert!(messages[201..].iter().all(|(_, _, batched)| *batched), "together");
    let ids: Vec<String> = messages.into_iter().map(|(_, id, _)| id).collect();
    assert_same(&ids, &world.written().await);
    world.shut_down().await;
}

/// Sends a part of somebody else's batch.
async fn part_of(world: &World, batch: &str, number: usize) {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_BATCH_ID, batch);
    headers.insert(NATS_BATCH_SEQUENCE, number.to_string());
    let name = subject(&world.prefix, CONTEXT, "TrainingStarted", "-");
    world.client.publish_with_headers(name, headers, "not ours".into()).await.unwrap();
}

#[tokio::test]
async fn a_fact_committed_after_later_ones_is_sent_without_a_look_at_everything() {
    let mut world = World::new().await;
    world.relay().await;
    let mut late = world.writer.begin(Scope::Site(world.site)).await.unwrap();
    events::enqueue(&mut late, &world.fact(0, 1), at()).await.unwrap();
    world.publish(1..3).await;
    world.until_streamed(2).await;
    // Nothing but the look at the skipped number finds it: the look at everything comes every twenty seconds.
    late.commit().await.unwrap();
    world.until_streamed(3).await;
    world.shut_down().await;
}

#[tokio::test]
async fn facts_of_one_aggregate_keep_their_order_however_transactions_end() {
    const WRITERS: usize = 8;
    const VERSIONS: usize = 60;
    let mut world = World::new().await;
    world.relay().await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = world.database.store("training").await;
        let site = world.site;
        let facts: Vec<_> = (1..=VERSIONS).map(|version| world.fact(writer, version)).collect();
        writers.spawn(async move {
            for fact in facts {
                let mut tx = store.begin(Scope::Site(site)).await.unwrap();
                events::enqueue(&mut tx, &fact, at()).await.unwrap();
                if rand::rng().random_ratio(1, 5) {
                    // Its number stays empty; the fact comes again under a later one.
                    drop(tx);
                    tx = store.begin(Scope::Site(site)).await.unwrap();
                    events::enqueue(&mut tx, &fact, at()).await.unwrap();
                }
                let pauses = rand::rng().random_range(0..4);
                for _ in 0..pauses {
                    sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap();
                }
                tx.commit().await.unwrap();
            }
        });
    }
    writers.join_all().await;
    world.until_sent().await;
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (subject, version) in in_stream_order(&world.database.admin()).await {
        seen.entry(subject).or_default().push(version);
    }
    assert_eq!(seen.len(), WRITERS);
    for (subject, versions) in seen {
        assert_eq!(versions, (1..=VERSIONS as u64).collect::<Vec<_>>(), "{subject}");
    }
    assert_same(&world.placed().await, &world.held().await);
    world.shut_down().await;
}

async fn in_stream_order(admin: &PgPool) -> Vec<(String, u64)> {
    use prost::Message;
    let payloads: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT payload FROM training.outbox ORDER BY stream_seq")
            .fetch_all(admin)
            .await
            .unwrap();
    let read = |payload: Vec<u8>| {
        let envelope = proto::common::v1::EventEnvelope::decode(payload.as_slice()).unwrap();
        (envelope.subject, envelope.version)
    };
    payloads.into_iter().map(read).collect()
}

/// Held until it is dropped.
async fn old_snapshot(admin: &PgPool) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut snapshot = admin.begin().await.unwrap();
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM training.relay_state")
        .execute(&mut *snapshot)
        .await
        .unwrap();
    snapshot
}

/// While an old snapshot is held no vacuum removes the index entries of rows that were sent since.
#[tokio::test]
async fn an_old_snapshot_does_not_make_reads_pass_all_that_was_sent_since() {
    const ROUNDS: usize = 30;
    const FACTS: usize = 200;
    let mut world = World::new().await;
    let admin = world.database.admin();
    let snapshot = old_snapshot(&admin).await;
    world.relay().await;
    for round in 0..ROUNDS {
        world.publish_all(round * FACTS..(round + 1) * FACTS).await;
        let sent = i64::try_from((round + 1) * FACTS).unwrap();
        eventually("the round to be marked", async || {
            let last: Option<i64> =
                sqlx::query_scalar("SELECT last_stream_seq FROM training.relay_state")
                    .fetch_optional(&admin)
                    .await
                    .unwrap();
            (last == Some(sent)).then_some(())
        })
        .await;
    }
    world.shut_down().await;
    // The relay's session has ended, so what it read is counted.
    let entries: i64 = eventually("statistics", async || {
        let entries: Option<i64> = sqlx::query_scalar(
            "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes
             WHERE schemaname = 'training' AND relname ~ '^outbox_' AND indexrelname ~ '_seq_idx$'
               AND indexrelname !~ 'stream'",
        )
        .fetch_one(&admin)
        .await
        .unwrap();
        entries.filter(|entries| *entries >= i64::try_from(ROUNDS * FACTS).unwrap())
    })
    .await;
    assert!(
        entries < i64::try_from(ROUNDS * FACTS * 2).unwrap(),
        "{entries} index entries were read for {} facts",
        ROUNDS * FACTS
    );
    drop(snapshot);
}

/// Nor one that removes what the leader's row was before each mark.
#[tokio::test]
async fn an_old_snapshot_does_not_make_marks_pass_all_that_were_made_since() {
    const MARKS: usize = 200;
    let mut world = World::new().await;
    let admin = world.database.admin();
    let snapshot = old_snapshot(&admin).await;
    world.relay().await;
    world.publish(0..1).await;
    world.until_sent().await;
    // What so many marks leave.
    sqlx::raw_sql(
        "DO $$ BEGIN FOR i IN 1..5000 LOOP UPDATE training.relay_state SET leader = leader; END LOOP; END $$",
    )
    .execute(&admin)
    .await
    .unwrap();
    for fact in 1..=MARKS {
        world.publish(fact..fact + 1).await;
        world.until_sent().await;
    }
    world.shut_down().await;
    // The relay's session has ended, so what it read is counted.
    let (marks, entries) = eventually("statistics", async || {
        let (marks, entries): (i64, i64) = sqlx::query_as(
            "SELECT n_tup_upd, (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes AS keys
                                WHERE keys.relid = rows.relid)
             FROM pg_stat_user_tables AS rows WHERE schemaname = 'training' AND relname = 'relay_state'",
        )
        .fetch_one(&admin)
        .await
        .unwrap();
        (marks > i64::try_from(5000 + MARKS).unwrap()).then_some((marks, entries))
    })
    .await;
    assert!(entries < 1_000, "{entries} index entries were read for {marks} changes of one row");
    drop(snapshot);
}
