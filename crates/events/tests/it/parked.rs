//! Events no handler can take: put aside alone, told of, and brought back or dropped by a person.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use events::testing::{Halt, Point, delivery};
use events::{Delivery, MAX_EVENT_BYTES, Patience, deliver, parked, subject};
use prost::Message;
use proto::Event;
use proto::common::v1::{CommandAudited, EventEnvelope};
use test_support::eventually;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::world::{Recorder, World, patient, until_acknowledged};

#[tokio::test]
async fn a_poison_event_is_parked_and_the_others_flow() {
    let mut world = World::new().await;
    let recorder = Recorder::failing(&[(1, "park"), (3, "panic"), (5, "retry"), (7, "once")]);
    world.relay().await;
    world.consume(recorder.clone());
    world.publish(0..10).await;
    let name = subject(&world.prefix, "training", "TrainingStarted", &world.site.to_string());
    world.until_effects(7).await;
    world.client.publish(name, "no envelope".into()).await.unwrap();
    let rows = eventually("four parked events", async || {
        let parked = waiting(&world).await;
        (parked.len() == 4).then_some(parked)
    })
    .await;
    let errors: Vec<(&str, i32)> =
        rows.iter().map(|parked| (parked.error.as_str(), parked.attempts)).collect();
    assert!(errors.contains(&("never", 1)), "{errors:?}");
    assert!(errors.contains(&("the handler panicked: poisoned", 1)), "{errors:?}");
    assert!(errors.contains(&("not now", 3)), "{errors:?}");
    assert!(
        errors.iter().any(|(error, _)| error.starts_with("the envelope cannot be read")),
        "{errors:?}"
    );
    until_acknowledged(&world).await;
    assert_eq!(world.effects().await.len(), 7);

    // Asked back before its cause is mended it is parked again, with a new error or the old one.
    let never = rows.iter().find(|parked| parked.error == "never").unwrap().event;
    assert_eq!(parked::resend(&world.reader, never).await.unwrap(), 1);
    eventually("it to be parked again", async || {
        let parked = waiting(&world).await;
        parked.iter().any(|parked| parked.event == never && parked.attempts == 2).then_some(())
    })
    .await;

    recorder.fails.lock().unwrap().clear();
    for parked in &rows {
        parked::resend(&world.reader, parked.event).await.unwrap();
    }
    world.until_effects(10).await;
    eventually("only the unreadable one to stay", async || {
        (waiting(&world).await.len() == 1).then_some(())
    })
    .await;
    world.shut_down().await;
    world.assert_effects_once(10).await;
}

#[tokio::test]
async fn an_event_is_parked_for_its_failures_and_not_for_those_of_processes() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..1).await;
    let patience = || Patience { ack_wait: Duration::from_millis(300), ..patient() };
    for _ in 0..=patience().delays.len() {
        let halt = Halt::at(Point::BeforeCommit);
        let consumer = world.consumer(Recorder::default()).with_patience(patience());
        let mut killed = JoinSet::new();
        killed.spawn(consumer.halted(halt.clone()).run(CancellationToken::new()));
        halt.reached().await;
        killed.shutdown().await;
    }
    let recorder = Recorder::failing(&[(0, "first")]);
    let consumer = world.consumer(recorder).with_patience(patience());
    world.running.spawn(consumer.run(world.stop.clone()));
    world.until_effects(1).await;
    assert!(waiting(&world).await.is_empty());
    world.shut_down().await;
}

#[tokio::test]
async fn what_is_no_event_or_too_big_is_parked_with_its_error() {
    let mut world = World::new().await;
    world.relay().await;
    world.publish(0..2).await;
    world.until_sent().await;
    let name = subject(&world.prefix, "training", "TrainingStarted", &world.site.to_string());
    let envelope = |data: Vec<u8>| EventEnvelope {
        data,
        ..EventEnvelope::decode(sound(&world).as_slice()).unwrap()
    };
    let garbage = envelope(vec![0xff; 9]).encode_to_vec();
    let big = envelope(vec![0; MAX_EVENT_BYTES]).encode_to_vec();
    for payload in [b"no envelope".to_vec(), garbage, big] {
        world.client.publish(name.clone(), payload.into()).await.unwrap();
    }
    world.consume(Recorder::decoding());
    world.publish(2..4).await;
    let rows = eventually("three parked events", async || {
        Some(waiting(&world).await).filter(|rows| rows.len() == 3)
    })
    .await;
    world.until_effects(4).await;
    until_acknowledged(&world).await;
    world.shut_down().await;
    world.assert_effects_once(4).await;
    let said = |start: &str| rows.iter().any(|row| row.error.starts_with(start));
    assert!(said("the envelope cannot be read"), "{rows:?}");
    assert!(said("TrainingStarted cannot be read"), "{rows:?}");
    assert!(said("it is 9"), "{rows:?}");
}

#[tokio::test]
async fn an_alert_is_raised_with_the_first_parked_event_and_cleared_with_the_last() {
    let mut world = World::new().await;
    let recorder = Recorder::failing(&[(0, "park"), (1, "park"), (2, "park")]);
    world.relay().await;
    world.consume(recorder.clone());
    world.publish(0..4).await;
    let rows = eventually("three parked events", async || {
        Some(waiting(&world).await).filter(|rows| rows.len() == 3)
    })
    .await;
    assert_eq!(world.told("reader").await, ["AlertRaised EVENT_PARKED reader--record"]);

    recorder.fails.lock().unwrap().clear();
    parked::resend(&world.reader, rows[0].event).await.unwrap();
    world.until_effects(2).await;
    parked::drop_event(&world.reader, rows[1].event, None, "of no use").await.unwrap();
    assert!(!world.told("reader").await.iter().any(|told| told.starts_with("AlertCleared")));
    parked::drop_event(&world.reader, rows[2].event, None, "of no use").await.unwrap();
    world.shut_down().await;
    let told = world.told("reader").await;
    let alerts: Vec<&String> = told.iter().filter(|told| told.starts_with("Alert")).collect();
    assert_eq!(
        alerts,
        ["AlertRaised EVENT_PARKED reader--record", "AlertCleared EVENT_PARKED reader--record"]
    );
}

#[tokio::test]
async fn a_dropped_event_stays_away_and_its_record_says_why() {
    let mut world = World::new().await;
    let recorder = Recorder::failing(&[(0, "park")]);
    world.relay().await;
    world.consume(recorder.clone());
    world.publish(0..1).await;
    let row = eventually("it to be parked", async || waiting(&world).await.pop()).await;
    world.shut_down().await;
    assert_eq!(
        parked::drop_event(&world.reader, row.event, Some("reader--other"), "x").await.unwrap(),
        0
    );
    let shown = parked::show(&world.reader, row.event).await.unwrap().remove(0);
    assert_eq!(shown.parked, row);
    let event = shown.delivery.unwrap();
    assert_eq!(
        (event.name.as_str(), event.subject_id.as_str()),
        ("TrainingStarted", "day-0/worker")
    );

    assert_eq!(parked::drop_event(&world.reader, row.event, None, "of no use").await.unwrap(), 1);
    assert_eq!(parked::drop_event(&world.reader, row.event, None, "of no use").await.unwrap(), 0);
    recorder.fails.lock().unwrap().clear();
    let again = deliver(&world.reader, &recorder, &Delivery { attempt: 1, ..event }).await;
    assert_eq!(again, Ok(events::Outcome::Repeated));
    assert_eq!(world.effects().await.len(), 0);
    let records = records(&world).await;
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].action.as_str(), records[0].reason.as_str()),
        ("parked.drop", "of no use")
    );
    assert_eq!(records[0].target_id, row.event.to_string());
}

#[tokio::test]
async fn an_event_that_is_taken_after_all_leaves_the_parking_place() {
    let mut world = World::new().await;
    let recorder = Recorder::failing(&[(0, "park"), (1, "park")]);
    world.relay().await;
    world.consume(recorder.clone());
    world.publish(0..2).await;
    let rows = eventually("both to be parked", async || {
        Some(waiting(&world).await).filter(|rows| rows.len() == 2)
    })
    .await;
    world.shut_down().await;
    recorder.fails.lock().unwrap().clear();
    // As when the stream comes again.
    for (taken, row) in rows.iter().enumerate() {
        let event = parked::show(&world.reader, row.event).await.unwrap().remove(0).delivery;
        let outcome = deliver(&world.reader, &recorder, &event.unwrap()).await;
        assert_eq!(outcome, Ok(events::Outcome::Handled));
        assert_eq!(waiting(&world).await, rows[taken + 1..]);
    }
    assert_eq!(
        world.told("reader").await,
        ["AlertRaised EVENT_PARKED reader--record", "AlertCleared EVENT_PARKED reader--record"]
    );
}

#[tokio::test]
async fn the_record_of_an_event_given_up_says_whether_it_had_its_effect() {
    let mut world = World::new().await;
    world.relay().await;
    world.consume(Recorder::failing(&[(0, "park")]));
    world.publish(0..1).await;
    let row = eventually("it to be parked", async || waiting(&world).await.pop()).await;
    world.shut_down().await;
    // Taken in while it was parked, by a release that left it there.
    sqlx::query("INSERT INTO reader.inbox (consumer, event_id, taken_at) VALUES ($1, $2, $3)")
        .bind(&row.consumer)
        .bind(row.event.as_uuid())
        .bind(row.parked_at)
        .execute(&world.database.admin())
        .await
        .unwrap();
    assert_eq!(parked::drop_event(&world.reader, row.event, None, "of no use").await.unwrap(), 1);
    assert_eq!(waiting(&world).await, []);
    let record = records(&world).await.remove(0);
    assert_eq!(record.after, r#"{"consumer":"reader--record","dropped":false}"#);
}

#[tokio::test]
async fn what_cannot_be_read_and_was_given_up_is_not_parked_again() {
    let mut world = World::new().await;
    world.relay().await;
    world.consume(Recorder::default());
    world.publish(0..1).await;
    world.until_effects(1).await;
    let name = subject(&world.prefix, "training", "TrainingStarted", &world.site.to_string());
    world.client.publish(name, "no envelope".into()).await.unwrap();
    let row = eventually("it to be parked", async || waiting(&world).await.pop()).await;
    parked::drop_event(&world.reader, row.event, None, "of no use").await.unwrap();
    let (durable, stream) = ("reader--record", world.stream_name());
    world.jetstream().delete_consumer_from_stream(durable, stream).await.unwrap();
    world.publish(1..2).await;
    world.until_effects(2).await;
    until_acknowledged(&world).await;
    world.shut_down().await;
    assert_eq!(waiting(&world).await, []);
}

#[tokio::test]
async fn the_words_of_a_panic_are_kept_with_the_event_and_in_no_log() {
    let log = Log::default();
    let lines = tracing_subscriber::fmt().with_env_filter("trace").with_ansi(false);
    let _guard = lines.with_writer(log.clone()).finish().set_default();
    let mut world = World::new().await;
    world.relay().await;
    world.consume(Recorder::failing(&[(1, "panic")]));
    world.publish_all(0..3).await;
    world.until_effects(2).await;
    let row = eventually("it to be parked", async || waiting(&world).await.pop()).await;
    world.shut_down().await;
    assert_eq!(row.error, "the handler panicked: poisoned");
    let logged = log.text();
    let line = logged.lines().find(|line| line.contains("event parked")).unwrap();
    assert!(line.contains(&row.event.to_string()) && line.contains("panicked"), "{line}");
    assert!(!logged.contains("poisoned"), "{logged}");
}

#[tokio::test]
async fn hundreds_asked_back_at_once_hold_up_no_live_event() {
    const PARKED: usize = 250;
    let mut world = World::new().await;
    world.relay().await;
    let all: Vec<(usize, &str)> = (0..PARKED).map(|subject| (subject, "park")).collect();
    let recorder = Recorder::failing(&all);
    world.consume(recorder.clone());
    world.publish(0..PARKED).await;
    eventually("all to be parked", async || {
        (parked::total(&world.reader, Some("reader--record")).await.unwrap() == 250).then_some(())
    })
    .await;
    assert_eq!(parked::list(&world.reader, None, 10).await.unwrap().len(), 10);
    assert_eq!(parked::total(&world.reader, Some("reader--other")).await.unwrap(), 0);
    recorder.fails.lock().unwrap().clear();
    assert_eq!(parked::resend_all(&world.reader, Some("reader--other")).await.unwrap(), 0);
    assert_eq!(parked::resend_all(&world.reader, Some("reader--record")).await.unwrap(), 250);
    assert_eq!(parked::resend_all(&world.reader, None).await.unwrap(), 0, "all are asked back");
    world.publish(PARKED..PARKED + 1).await;
    let live = format!("day-{PARKED}/worker");
    eventually("the live event", async || world.effects().await.contains(&live).then_some(()))
        .await;
    assert!(parked::total(&world.reader, None).await.unwrap() > 0, "it did not overtake");
    world.until_effects(PARKED + 1).await;
    eventually("the parking place to be empty", async || {
        (parked::total(&world.reader, None).await.unwrap() == 0).then_some(())
    })
    .await;
    world.shut_down().await;
    world.assert_effects_once(PARKED + 1).await;
}

#[tokio::test]
async fn a_handler_takes_back_no_event_of_another_context() {
    let mut world = World::new().await;
    world.relay().await;
    let recorder = Recorder::failing(&[(0, "park"), (1, "park")]);
    world.consume(recorder.clone());
    world.publish(0..2).await;
    let rows = eventually("both to be parked", async || {
        Some(waiting(&world).await).filter(|rows| rows.len() == 2)
    })
    .await;
    assert_eq!(rows[0].context, "training");
    let older = rows.iter().map(|row| row.event).min().unwrap();
    sqlx::query("UPDATE reader.parked_events SET context = 'ticket' WHERE event_id = $1")
        .bind(older.as_uuid())
        .execute(&world.database.admin())
        .await
        .unwrap();
    recorder.fails.lock().unwrap().clear();
    assert_eq!(parked::resend_all(&world.reader, None).await.unwrap(), 2);
    // Older events are taken first: when this one is, the other was passed over.
    world.until_effects(1).await;
    world.shut_down().await;
    let rest: Vec<_> = waiting(&world).await.into_iter().map(|row| row.event).collect();
    assert_eq!(rest, [older]);
}

async fn records(world: &World) -> Vec<CommandAudited> {
    let told = events::testing::outbox(&world.reader).await.into_iter();
    let records = told.filter(|(name, _)| name == "CommandAudited");
    records.map(|(_, data)| CommandAudited::decode(data.as_slice()).unwrap()).collect()
}

/// Keeps what is logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

async fn waiting(world: &World) -> Vec<parked::Parked> {
    parked::list(&world.reader, None, 100).await.unwrap()
}

/// An event as it travels.
fn sound(world: &World) -> Vec<u8> {
    let fact = world.fact(99, 1);
    let delivery = delivery(&fact);
    EventEnvelope {
        id: delivery.id.to_string(),
        r#type: format!("sitepass.training.v1.{}", proto::training::v1::TrainingStarted::NAME),
        subject: fact.subject_id(),
        time: Some(proto::timestamp(delivery.at)),
        site_id: world.site.to_string(),
        version: 1,
        ..Default::default()
    }
    .encode_to_vec()
}
