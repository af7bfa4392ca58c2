//! Two who change the same ticket at once: one effect.

use service::{Scope, StoreError};
use ticket::store::tickets;
use types::{AccountId, ErrorCode, TicketId};

use crate::world::World;

#[tokio::test]
async fn who_read_an_old_version_writes_nothing() {
    let world = World::new().await;
    let id: TicketId = world.created(world.draft()).await.parse().unwrap();
    let scope = Scope::Site(world.site);
    let mut first = world.store.begin(scope.clone()).await.unwrap();
    let mut second = world.store.begin(scope).await.unwrap();
    let mut published = tickets::get(&mut first, id).await.unwrap().unwrap();
    let mut cancelled = tickets::get(&mut second, id).await.unwrap().unwrap();
    let (by, now) = (AccountId::new(), world.harness.now());
    assert!(published.value.publish(by, now).is_ok());
    assert!(cancelled.value.cancel(by, now, "rain").is_ok());

    tickets::save(&mut first, &mut published).await.unwrap();
    first.commit().await.unwrap();
    let late = tickets::save(&mut second, &mut cancelled).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    drop(second);
    let ticket = world.ticket(&id.to_string()).await;
    assert_eq!((ticket.status.as_str(), ticket.version), ("ACTIVE", 2));
}

#[tokio::test]
async fn many_publications_at_once_have_one_effect() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let calls = (0..20).map(|_| world.publish(&world.admin, &id));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().any(Result::is_ok));
    for refusal in answers.into_iter().filter_map(Result::err) {
        assert_eq!(refusal.code, ErrorCode::VersionConflict);
    }
    let told = world.facts().await.iter().filter(|name| *name == "TicketPublished").count();
    assert_eq!(told, 1);
    assert_eq!(world.ticket(&id).await.version, 2);
}

#[tokio::test]
async fn publishing_against_cancelling_ends_in_a_state_both_facts_explain() {
    let world = World::new().await;
    let id = world.created(world.draft()).await;
    let (published, cancelled) =
        tokio::join!(world.publish(&world.admin, &id), world.cancel(&world.admin, &id, "rain"));
    let effects = usize::from(published.is_ok()) + usize::from(cancelled.is_ok());
    assert_eq!(world.ticket(&id).await.version, 1 + effects as u64);
    let told = world.facts().await.iter().filter(|name| name.starts_with("Ticket")).count();
    assert_eq!(told, effects);
}
