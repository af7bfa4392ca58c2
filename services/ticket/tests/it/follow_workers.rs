use events::{Delivery, Outcome, deliver};
use proto::directory::v1::{
    Departure, Engagement, Worker, WorkerBound, WorkerChanged, WorkerUnbound,
};
use proto::ticket::v1::{AmendTicketRequest, Warning};
use ticket::consumers::FollowWorkers;
use types::SiteId;

use crate::world::World;

async fn take(world: &World, delivery: &Delivery) {
    let outcome = deliver(&world.store, &FollowWorkers, delivery).await;
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
    let again = deliver(&world.store, &FollowWorkers, &fact).await;
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

/// Told of the first worker: engaged on the ticket's site and another.
fn engaged(world: &World, until: &str, version: u64) -> Delivery {
    let there = |site_id: SiteId, until: &str| Engagement {
        site_id: site_id.to_string(),
        until: until.to_owned(),
        ..Engagement::default()
    };
    let engagements = vec![there(world.site, until), there(SiteId::new(), "2026-03-01")];
    let worker = Worker { engagements, ..worker(world, true, version) };
    events::testing::delivery(&WorkerChanged { worker: Some(worker) })
}

/// Told of the first worker: on the site's roster no more.
fn left(world: &World, until: &str, version: u64) -> Delivery {
    let departure = Departure { site_id: world.site.to_string(), until: until.to_owned() };
    let worker = Worker { departures: vec![departure], ..worker(world, true, version) };
    events::testing::delivery(&WorkerChanged { worker: Some(worker) })
}

fn ends(warnings: &[Warning]) -> Vec<(&str, &str)> {
    warnings.iter().map(|warning| (warning.code.as_str(), warning.date.as_str())).collect()
}

/// What the ticket's detail warns of, and the preview of an amendment about which nobody is asked.
async fn shown(world: &World, ticket_id: &str) -> Vec<Warning> {
    let detail = world.get(&world.admin, ticket_id).await.unwrap().warnings;
    let remark = AmendTicketRequest {
        remark: Some("注意防火".to_owned()),
        preview: true,
        ..world.amendment(ticket_id).await
    };
    let previewed = world.amend(&world.admin, remark).await.unwrap();
    assert_eq!(previewed.effects.unwrap().warnings, detail);
    detail
}

/// The preview of an amendment that moves the last date.
async fn moved(world: &World, ticket_id: &str) -> Vec<Warning> {
    let moved = AmendTicketRequest {
        end_date: Some("2026-03-05".to_owned()),
        preview: true,
        ..world.amendment(ticket_id).await
    };
    world.amend(&world.sysadmin(), moved).await.unwrap().effects.unwrap().warnings
}

#[tokio::test]
async fn an_engagement_that_comes_to_end_after_the_ticket_was_made_is_told_until_it_ends_later() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    assert_eq!(shown(&world, &id).await, []);
    take(&world, &engaged(&world, "2026-03-03", 2)).await;
    assert_eq!(ends(&shown(&world, &id).await), [("ENGAGEMENT_ENDS", "2026-03-03")]);
    take(&world, &engaged(&world, "2026-03-04", 3)).await;
    assert_eq!(shown(&world, &id).await, []);
    take(&world, &engaged(&world, "2026-03-02", 4)).await;
    take(&world, &engaged(&world, "", 5)).await;
    assert_eq!(shown(&world, &id).await, []);
}

#[tokio::test]
async fn whoever_leaves_the_site_after_the_ticket_was_made_is_told_until_they_return() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    // On the ticket's last day they are missing too.
    take(&world, &left(&world, "2026-03-04", 2)).await;
    assert_eq!(ends(&shown(&world, &id).await), [("ENGAGEMENT_ENDS", "2026-03-04")]);
    take(&world, &engaged(&world, "", 3)).await;
    assert_eq!(shown(&world, &id).await, []);
}

#[tokio::test]
async fn older_facts_of_an_engagement_that_come_late_change_nothing() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    take(&world, &left(&world, "2026-03-02", 5)).await;
    take(&world, &engaged(&world, "", 4)).await;
    take(&world, &engaged(&world, "2026-03-03", 3)).await;
    take(&world, &engaged(&world, "", 5)).await;
    assert_eq!(ends(&shown(&world, &id).await), [("ENGAGEMENT_ENDS", "2026-03-02")]);
}

#[tokio::test]
async fn a_fact_of_an_engagement_stands_against_what_was_answered_when_the_ticket_was_made() {
    let world = World::new().await;
    take(&world, &engaged(&world, "", 2)).await;
    let ending = (world.workers[0].to_string(), "2026-03-03".to_owned());
    world.peers.lock().unwrap().ending.push(ending);
    let id = world.created(world.three_days()).await;
    assert_eq!(shown(&world, &id).await, []);
    take(&world, &engaged(&world, "2026-03-03", 3)).await;
    world.peers.lock().unwrap().ending.clear();
    world.created(world.three_days()).await;
    assert_eq!(ends(&shown(&world, &id).await), [("ENGAGEMENT_ENDS", "2026-03-03")]);
}

#[tokio::test]
async fn whom_directory_no_longer_knows_is_told_when_dates_move_and_keeps_their_last_day() {
    let world = World::new().await;
    let ending = (world.workers[0].to_string(), "2026-03-01".to_owned());
    world.peers.lock().unwrap().ending.push(ending.clone());
    let id = world.created(world.three_days()).await;
    let warned = shown(&world, &id).await;
    assert_eq!(ends(&warned), [("ENGAGEMENT_ENDS", "2026-03-01")]);
    {
        let mut known = world.peers.lock().unwrap();
        known.ending.clear();
        known.unknown.extend(world.workers.map(|worker| worker.to_string()));
    }
    let told = moved(&world, &id).await;
    let mut told = ends(&told);
    told.sort_unstable();
    let today = ("ENGAGEMENT_ENDS", "2026-03-02");
    assert_eq!(told, [("ENGAGEMENT_ENDS", "2026-03-01"), today], "of the second nothing was known");
    let shorter = AmendTicketRequest {
        end_date: Some("2026-03-03".to_owned()),
        ..world.amendment(&id).await
    };
    world.amend(&world.sysadmin(), shorter).await.unwrap();
    assert_eq!(shown(&world, &id).await, warned);
}

#[tokio::test]
async fn what_directory_answers_as_dates_move_stands_against_an_older_fact() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    take(&world, &engaged(&world, "2026-03-03", 2)).await;
    assert_eq!(moved(&world, &id).await, [], "extended, and the fact is on its way");
    assert_eq!(ends(&shown(&world, &id).await), [("ENGAGEMENT_ENDS", "2026-03-03")]);
}

#[tokio::test]
async fn a_day_that_is_none_is_put_aside() {
    let world = World::new().await;
    let fact = engaged(&world, "soon", 2);
    let outcome = deliver(&world.store, &FollowWorkers, &fact).await;
    assert!(matches!(outcome, Err(events::Failure::Park(_))), "{outcome:?}");
}
