use std::sync::atomic::{AtomicBool, Ordering};

use access_grant::consumers::{FollowTickets, FollowTraining};
use access_grant::domain::State;
use access_grant::store::grants;
use events::Handler;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use service::{Scope, StoreError, telemetry};
use test_support::eventually;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::world::World;

#[tokio::test]
async fn a_completion_and_a_cancellation_at_once_leave_no_live_grant() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let worker = world.worker("face-1").await;
    let mut job = world.job(&[worker], &[area]);
    world.publish(&job).await;
    let trained = events::testing::delivery(&job.trained(worker, 0));
    let cancelled = events::testing::delivery(&job.cancelled());

    // The completion has seen the ticket live and is not committed when the cancellation comes.
    let clock = || world.harness.shell.clock.clone();
    let mut completing = world.store.begin(Scope::Site(world.site)).await.unwrap();
    FollowTraining::new(clock()).handle(&mut completing, &trained).await.unwrap();
    let done = AtomicBool::new(false);
    let cancelling = async {
        events::deliver(&world.store, &FollowTickets::new(clock()), &cancelled).await.unwrap();
        done.store(true, Ordering::SeqCst);
    };
    let admin = world.harness.database.admin();
    let committing = async {
        eventually("the cancellation to wait its turn, or to be through", async || {
            let waits: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                 WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted)",
            )
            .fetch_one(&admin)
            .await
            .unwrap();
            (waits || done.load(Ordering::SeqCst)).then_some(())
        })
        .await;
        completing.commit().await.unwrap();
    };
    tokio::join!(cancelling, committing);
    assert!(matches!(world.grant_of(&job).await.state, State::Revoked { .. }));
}

#[tokio::test]
async fn a_grant_is_written_only_over_the_version_that_was_read() {
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let (job, _) = world.granted("face-1", &[area]).await;
    let (mut one, mut other) = (world.grant_of(&job).await, world.grant_of(&job).await);
    let now = world.harness.now();
    let mut tx = world.store.begin(Scope::Site(world.site)).await.unwrap();
    grants::save(&mut tx, &mut one, now).await.unwrap();
    let stale = grants::save(&mut tx, &mut other, now).await;
    assert!(matches!(stale, Err(StoreError::Conflict)));
}

#[tokio::test]
async fn the_push_belongs_to_the_trace_of_the_fact_behind_the_grant() {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _guard = tracing_subscriber::registry().with(layer).set_default();
    let world = World::new().await;
    let area = world.area("acg_01").await;
    let fact = tracing::info_span!(parent: None, "fact");
    let of_fact = fact.in_scope(telemetry::current_traceparent).unwrap();
    world.granted("face-1", &[area]).instrument(fact).await;
    let elsewhere = tracing::info_span!(parent: None, "push loop");
    world.push().instrument(elsewhere).await;
    let of_push = world.door.traceparents().remove(0).unwrap();
    let trace = |traceparent: &str| traceparent.split('-').nth(1).map(str::to_owned);
    assert_eq!(trace(&of_push), trace(&of_fact));
    assert_ne!(of_push, of_fact, "a span of its own");
}
