//! What waits, as `/metrics` shows it under the names of `docs/operations.md`.

use std::time::Duration;

use events::Patience;
use events::testing::{Halt, Point};
use test_support::eventually;

use crate::world::{Recorder, World, patient};

#[tokio::test]
async fn what_waits_is_shown_in_number_and_age() {
    let shown = service::admin::install_metrics().unwrap();
    let gauge = |name: &str| {
        let text = shown.render();
        let of = |line: &str| {
            let (named, value) = line.rsplit_once(' ')?;
            (named.split('{').next()? == name).then(|| value.to_owned())
        };
        text.lines().find_map(of).unwrap_or_default()
    };
    let seconds = |name: &str| gauge(name).parse::<f64>().unwrap_or_default();
    let mut world = World::new().await;
    world.publish(0..3).await;
    sqlx::query("UPDATE training.outbox SET created_at = now() - interval '1 hour'")
        .execute(&world.database.admin())
        .await
        .unwrap();
    let halt = Halt::at(Point::BeforePublish);
    world.relay_beside(&halt);
    halt.reached().await;
    assert_eq!(gauge("outbox_unsent"), "3");
    let oldest = seconds("outbox_oldest_seconds");
    assert!((3600.0..3700.0).contains(&oldest), "{oldest} seconds");
    halt.release();
    eventually("nothing to wait in the outbox", async || {
        (gauge("outbox_unsent") == "0" && gauge("outbox_oldest_seconds") == "0").then_some(())
    })
    .await;

    let recorder = Recorder::failing(&[(0, "park"), (1, "retry")]);
    let late = Patience { delays: vec![Duration::from_mins(1)], ..patient() };
    let consumer = world.consumer(recorder).with_patience(late);
    world.running.spawn(consumer.run(world.stop.clone()));
    eventually("one event to wait, and one to be parked", async || {
        let (lag, parked) = (gauge("events_consumer_lag"), gauge("events_parked"));
        let age = seconds("events_consumer_age_seconds");
        (lag == "1" && parked == "1" && (1.0..60.0).contains(&age)).then_some(())
    })
    .await;
    world.shut_down().await;
}
