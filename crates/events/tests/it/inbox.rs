use events::testing::delivery;
use events::{Failure, Outcome, deliver};
use tokio::task::JoinSet;

use crate::world::{Recorder, World};

#[tokio::test]
async fn an_event_delivered_twice_has_its_effect_once() {
    let world = World::new().await;
    let event = delivery(&world.fact(0, 1));
    let handler = Recorder::default();
    assert_eq!(deliver(&world.reader, &handler, &event).await, Ok(Outcome::Handled));
    assert_eq!(deliver(&world.reader, &handler, &event).await, Ok(Outcome::Repeated));
    world.assert_effects_once(1).await;
}

#[tokio::test]
async fn an_event_delivered_to_many_replicas_at_once_has_its_effect_once() {
    let world = World::new().await;
    let event = delivery(&world.fact(0, 1));
    let mut replicas = JoinSet::new();
    for _ in 0..8 {
        let (store, event) = (world.database.store("reader").await, event.clone());
        replicas.spawn(async move { deliver(&store, &Recorder::default(), &event).await.unwrap() });
    }
    let outcomes = replicas.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Handled).count(), 1);
    world.assert_effects_once(1).await;
}

#[tokio::test]
async fn a_failed_delivery_leaves_nothing_behind() {
    let world = World::new().await;
    let event = delivery(&world.fact(0, 1));
    for (how, failure) in [
        ("retry", Failure::Retry("not now".to_owned())),
        ("park", Failure::Park("never".to_owned())),
        ("panic", Failure::Park("the handler panicked: poisoned".to_owned())),
    ] {
        let failing = Recorder::failing(&[(0, how)]);
        assert_eq!(deliver(&world.reader, &failing, &event).await, Err(failure));
    }
    assert_eq!(world.effects().await.len(), 0);
    assert_eq!(deliver(&world.reader, &Recorder::default(), &event).await, Ok(Outcome::Handled));
}

#[tokio::test]
async fn a_handler_that_swallows_a_database_error_has_not_handled_the_event() {
    let world = World::new().await;
    let event = delivery(&world.fact(0, 1));
    let careless = Recorder::failing(&[(0, "swallow")]);
    let failed = deliver(&world.reader, &careless, &event).await;
    assert!(matches!(failed, Err(Failure::Retry(_))), "{failed:?}");
    assert_eq!(deliver(&world.reader, &Recorder::default(), &event).await, Ok(Outcome::Handled));
}

#[tokio::test]
async fn a_handler_sees_the_events_site_and_no_other() {
    let world = World::new().await;
    deliver(&world.reader, &Recorder::default(), &delivery(&world.fact(0, 1))).await.unwrap();
    let sites: Option<String> = sqlx::query_scalar("SELECT sites FROM reader.effects")
        .fetch_one(&world.database.admin())
        .await
        .unwrap();
    assert_eq!(sites, Some(format!("{{{}}}", world.site)));
}
