use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::{HeaderMap, Message as Held, jetstream};
use futures::StreamExt;
use prost::Message;
use proto::common::v1::EventEnvelope;
use rand::Rng;
use rand::seq::SliceRandom;
use test_support::eventually;
use types::EventId;
use uuid::Uuid;

use crate::chaos::World;
use crate::chaos::load::Client;
use crate::chaos::world::PREFIX;

/// Deliveries of each event besides the first, at once and late.
const TIMES: [usize; 2] = [2, 2];

/// F15: every event that was ever published comes four times more, all shuffled, from outside the relay: at once, and
/// so late that the stream has forgotten what it would know as a repeat and others have passed it. Some consumers start
/// over at the first event.
pub(crate) async fn repeated(world: &mut World) {
    let jetstream = jetstream::new(world.checker.nats().clone());
    let (mut all, mut window) = (Vec::new(), Duration::ZERO);
    for name in world.checker.fact_streams().await {
        let mut stream = jetstream.get_stream(&name).await.expect("the stream is there");
        let info = stream.info().await.expect("the broker answers");
        window = window.max(info.config.duplicate_window);
        let held = world.checker.held(&name).await;
        if !held.is_empty() {
            again(world, &name, &held, TIMES[0]).await;
            all.push((name.clone(), held));
        }
        let mut durables = stream.consumer_names();
        while let Some(durable) = durables.next().await {
            let durable = durable.expect("a consumer's name");
            if world.random.random_bool(0.3) {
                world.ledger.note(format!("{durable} starts over in {name}"));
                // The reader above is a consumer too, and goes by itself.
                stream.delete_consumer(&durable).await.ok();
            }
        }
    }
    world.suffer("the streams forget what is a repeat", window + Duration::from_secs(1)).await;
    for (name, held) in all {
        again(world, &name, &held, TIMES[1]).await;
    }
    world.checker.nats().flush().await.expect("the broker takes them");
}

/// Publishes what a stream held so many times, in an order of its own.
async fn again(world: &mut World, name: &str, held: &[Held], times: usize) {
    let mut again: Vec<_> = (0..times).flat_map(|_| held.iter().cloned()).collect();
    again.shuffle(&mut world.random);
    world.ledger.note(format!("{} messages come again in {name}", again.len()));
    for Held { subject, payload, .. } in again {
        world.checker.nats().publish(subject, payload).await.expect("the broker takes it");
    }
}

/// F14: events nobody can read are parked with their errors and the others flow; what a handler panicked at is put
/// back once the handler is mended.
pub(crate) async fn poison(world: &mut World) {
    let site = world.demo.site_id.clone();
    let envelope = |id: Uuid, kind: &str, data: Vec<u8>| EventEnvelope {
        id: id.to_string(),
        source: "/sitepass/ticket".to_owned(),
        r#type: kind.to_owned(),
        subject: "nothing".to_owned(),
        time: Some(proto::timestamp(types::SystemClock::system().now())),
        site_id: site.clone(),
        version: 0,
        data,
    };
    let [garbage, unknown, schema, big] = std::array::from_fn(|_| EventId::new().as_uuid());
    let noise: Vec<u8> = (0..2000).map(|_| world.random.random()).collect();
    let poison = [
        (garbage, "that is noise", noise.clone()),
        (
            unknown,
            "of an unknown type",
            envelope(unknown, "sitepass.ticket.v9.Unheard", Vec::new()).encode_to_vec(),
        ),
        (
            schema,
            "of a bad schema",
            envelope(schema, "sitepass.ticket.v1.TicketPublished", noise).encode_to_vec(),
        ),
        (big, "that is too big", vec![0xff; 1_000_000]),
    ];
    for (event, what, payload) in poison {
        world.checker.expect_parked(event);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, event.to_string());
        let subject = format!("{PREFIX}.ticket.v1.TicketPublished.{site}");
        let sent =
            world.checker.nats().publish_with_headers(subject, headers, payload.into()).await;
        sent.expect("the broker takes it");
        world.ledger.note(format!("an event {what} is published"));
        eventually(&format!("the event {what} to be parked"), || parked(world, "training", event))
            .await;
    }
    let again = world.admin(&["parked", "resend", "training", &schema.to_string()]);
    again.expect("it is put back");
    eventually("the bad event to be parked again", || async {
        attempts(world, schema).await.filter(|attempts| *attempts > 1)
    })
    .await;
    panics(world).await;
}

async fn panics(world: &mut World) {
    let process = 3;
    world.ledger.note("the handlers of audit and report panic");
    world.installation.restart(process, &[("SITEPASS_FAULT_MISTAKE", "panic-in-handler")]);
    world.installation.process_ready(process).await;
    let client = Client::new(world).await;
    let number = world.titles.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    client.publish(number, true).await;
    eventually("an event to be parked", || async {
        (!mended(world, "audit").await.is_empty() && !mended(world, "report").await.is_empty())
            .then_some(())
    })
    .await;
    world.installation.restart(process, &[]);
    world.installation.process_ready(process).await;
    for service in ["audit", "report"] {
        let events = mended(world, service).await;
        world.ledger.note(format!("{} events are put back to {service}", events.len()));
        for event in events {
            // One whose delivery was still open came again by itself, and is parked no more.
            world.admin(&["parked", "resend", service, &event.to_string()]).ok();
        }
        for _ in 0..3 {
            let taken = eventually("events to be taken back", || async {
                mended(world, service).await.is_empty().then_some(())
            });
            if tokio::time::timeout(Duration::from_secs(18), taken).await.is_ok() {
                break;
            }
        }
    }
}

/// Parked where the handler panicked.
async fn mended(world: &World, service: &str) -> Vec<Uuid> {
    let sql = format!(
        "SELECT DISTINCT event_id FROM {service}.parked_events WHERE error LIKE '%panicked%'"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_all(world.checker.pool())
        .await
        .expect("PostgreSQL answers")
}

async fn parked(world: &World, schema: &str, event: Uuid) -> Option<()> {
    let sql = format!("SELECT error FROM {schema}.parked_events WHERE event_id = $1");
    let error: Option<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(event)
        .fetch_optional(world.checker.pool())
        .await
        .expect("PostgreSQL answers");
    error.map(|error| assert!(!error.is_empty(), "parked without its error"))
}

async fn attempts(world: &World, event: Uuid) -> Option<i32> {
    sqlx::query_scalar(
        "SELECT attempts FROM training.parked_events WHERE event_id = $1 AND asked_back_at IS NULL",
    )
    .bind(event)
    .fetch_optional(world.checker.pool())
    .await
    .expect("PostgreSQL answers")
}
