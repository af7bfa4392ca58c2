use events::{Delivery, Outcome, deliver};
use proto::directory::v1::{Worker, WorkerBound, WorkerChanged, WorkerUnbound};
use ticket::consumers::FollowBindings;

use crate::world::World;

async fn take(world: &World, delivery: &Delivery) {
    let outcome = deliver(&world.store, &FollowBindings, delivery).await;
    assert_eq!(outcome, Ok(Outcome::Handled));
}

async fn bound(world: &World, ticket_id: &str) -> bool {
    let day = world.ticket(ticket_id).await.daily_tickets[0].daily_ticket_id.clone();
    world.daily(&world.admin, &day).await.unwrap().workers[0].bound
}

fn worker(world: &World, bound: bool, version: u64) -> Worker {
    Worker { worker_id: world.workers[0].to_string(), bound, version, ..Worker::default() }
}

fn changed(world: &World, bound: bool, version: u64) -> Delivery {
    events::testing::delivery(&WorkerChanged { worker: Some(worker(world, bound, version)) })
}

#[tokio::test]
async fn a_binding_shows_until_it_ends() {
    let world = World::new().await;
    world.peers.lock().unwrap().unbound.insert(world.workers[0].to_string());
    let id = world.created(world.three_days()).await;
    assert!(!bound(&world, &id).await);
    let fact = WorkerBound { worker: Some(worker(&world, true, 2)), ..WorkerBound::default() };
    let fact = events::testing::delivery(&fact);
    take(&world, &fact).await;
    let again = deliver(&world.store, &FollowBindings, &fact).await;
    assert_eq!(again, Ok(Outcome::Repeated));
    assert!(bound(&world, &id).await);
    let fact = WorkerUnbound { worker: Some(worker(&world, false, 3)), ..WorkerUnbound::default() };
    take(&world, &events::testing::delivery(&fact)).await;
    assert!(!bound(&world, &id).await);
}

#[tokio::test]
async fn an_older_fact_that_comes_late_changes_nothing() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    take(&world, &changed(&world, true, 5)).await;
    take(&world, &changed(&world, false, 4)).await;
    assert!(bound(&world, &id).await);
}

#[tokio::test]
async fn a_fact_that_came_before_the_ticket_stands_against_what_was_answered_then() {
    let world = World::new().await;
    take(&world, &changed(&world, true, 1)).await;
    world.peers.lock().unwrap().unbound.insert(world.workers[0].to_string());
    let id = world.created(world.three_days()).await;
    assert!(bound(&world, &id).await);
}
