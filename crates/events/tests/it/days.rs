//! Partitions of the outbox and the inbox.

use chrono::{DateTime, TimeDelta, Utc};
use events::Outcome;
use events::testing::delivery;
use service::{Scope, Store, StoreError};
use sqlx::PgPool;
use test_support::eventually;
use types::{EventId, SystemClock};
use uuid::Uuid;

use crate::world::{Recorder, World};

fn days(number: i64) -> DateTime<Utc> {
    SystemClock::system().now() + TimeDelta::days(number)
}

fn id_of(at: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(at.timestamp_millis()).unwrap();
    Uuid::from_u128((millis << 80) | (EventId::new().as_uuid().as_u128() & ((1 << 80) - 1)))
}

/// One fact under an id of that time, sent or not.
async fn write(admin: &PgPool, at: DateTime<Utc>, place: Option<i64>) {
    sqlx::query(
        "INSERT INTO training.outbox (event_id, context, name, site, payload, created_at, sent_at, stream_seq)
         VALUES ($1, 'training', 'TrainingStarted', '-', '', $2, CASE WHEN $3 IS NULL THEN NULL ELSE $2 END, $3)",
    )
    .bind(id_of(at))
    .bind(at)
    .bind(place)
    .execute(admin)
    .await
    .unwrap();
}

/// All steps there are, as a relay of today makes them.
async fn keep(store: &Store, parent: &str, kept: i32) -> Result<Vec<String>, StoreError> {
    let mut steps = Vec::new();
    loop {
        let mut tx = store.begin(Scope::System("a test")).await?;
        let step: Option<String> = sqlx::query_scalar("SELECT keep_days($1, $2, 2, $3)")
            .bind(parent)
            .bind(days(0))
            .bind(kept)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        let Some(step) = step else { return Ok(steps) };
        steps.push(step);
    }
}

fn partition(parent: &str, day: i64) -> String {
    format!("{parent}_{}", days(day).format("%Y%m%d"))
}

async fn where_rows_are(admin: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT relname::text FROM training.outbox JOIN pg_class c ON c.oid = outbox.tableoid
         ORDER BY event_id",
    )
    .fetch_all(admin)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_fact_of_a_clock_days_off_is_taken_and_moves_once_its_day_is_made() {
    let world = World::new().await;
    let admin = world.database.admin();
    for day in [-400, -5, 0, 2, 400] {
        write(&admin, days(day), None).await;
    }
    let rest = || "outbox_rest".to_owned();
    let today = partition("outbox", 0);
    assert_eq!(where_rows_are(&admin).await, [rest(), rest(), today.clone(), rest(), rest()]);
    let made = keep(&world.writer, "outbox", 16).await.unwrap();
    let (early, late) = (partition("outbox", -5), partition("outbox", 2));
    assert_eq!(made, [early.clone(), late.clone()]);
    assert_eq!(where_rows_are(&admin).await, [rest(), early, today, late, rest()]);
    assert_eq!(keep(&world.writer, "outbox", 16).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn days_are_dropped_whole_and_one_with_unsent_facts_stays() {
    let world = World::new().await;
    let admin = world.database.admin();
    for (day, place) in [(-6, Some(1)), (-5, Some(2)), (-4, Some(3)), (0, Some(4))] {
        write(&admin, days(day), place).await;
    }
    write(&admin, days(-5), None).await;
    keep(&world.writer, "outbox", 16).await.unwrap();
    assert_eq!(
        keep(&world.writer, "outbox", 3).await.unwrap(),
        [partition("outbox", -6), partition("outbox", -4)]
    );
    let old = partition("outbox", -5);
    assert_eq!(where_rows_are(&admin).await, [old.clone(), old.clone(), partition("outbox", 0)]);
    sqlx::query(
        "UPDATE training.outbox SET sent_at = created_at, stream_seq = 5 WHERE sent_at IS NULL",
    )
    .execute(&admin)
    .await
    .unwrap();
    assert_eq!(keep(&world.writer, "outbox", 3).await.unwrap(), [old]);
}

#[tokio::test]
async fn a_clock_far_ahead_of_the_databases_drops_nothing() {
    let world = World::new().await;
    write(&world.database.admin(), days(0), Some(1)).await;
    let mut tx = world.writer.begin(Scope::System("a test")).await.unwrap();
    for _ in 0..10 {
        sqlx::query("SELECT keep_days('outbox', $1, 2, 16)")
            .bind(days(60))
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(where_rows_are(&world.database.admin()).await, [partition("outbox", 0)]);
}

#[tokio::test]
async fn a_step_gives_up_rather_than_hold_up_those_behind_it() {
    let world = World::new().await;
    let admin = world.database.admin();
    write(&admin, days(-6), Some(1)).await;
    keep(&world.writer, "outbox", 16).await.unwrap();
    // A long transaction of another: it has written a fact.
    let mut long = admin.begin().await.unwrap();
    sqlx::query("UPDATE training.outbox SET traceparent = '' WHERE stream_seq = 2")
        .execute(&mut *long)
        .await
        .unwrap();
    let started = std::time::Instant::now();
    let refused = keep(&world.writer, "outbox", 3).await;
    assert!(matches!(refused, Err(StoreError::Unavailable)), "{refused:?}");
    assert!(started.elapsed().as_millis() < 1000, "{:?}", started.elapsed());
    long.rollback().await.unwrap();
    assert_eq!(keep(&world.writer, "outbox", 3).await.unwrap(), [partition("outbox", -6)]);
}

#[tokio::test]
async fn an_inbox_knows_what_came_before_its_day_was_made() {
    let world = World::new().await;
    let handler = Recorder::default();
    let mut event = delivery(&world.fact(0, 1));
    event.id = EventId::from_uuid(id_of(days(-5)));
    assert_eq!(events::deliver(&world.reader, &handler, &event).await, Ok(Outcome::Handled));
    let made = keep(&world.reader, "inbox", 32).await.unwrap();
    assert_eq!(made, [partition("inbox", -5), partition("inbox", 2)]);
    assert_eq!(events::deliver(&world.reader, &handler, &event).await, Ok(Outcome::Repeated));
    assert_eq!(keep(&world.reader, "inbox", 3).await.unwrap(), [partition("inbox", -5)]);
}

#[tokio::test]
async fn a_leader_makes_the_days_ahead() {
    let mut world = World::new().await;
    world.relay().await;
    eventually("the day after tomorrow", async || {
        let made: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'training' AND tablename = ANY($1)",
        )
        .bind([partition("outbox", 2), partition("inbox", 2)])
        .fetch_one(&world.database.admin())
        .await
        .unwrap();
        (made == 2).then_some(())
    })
    .await;
    world.shut_down().await;
}
