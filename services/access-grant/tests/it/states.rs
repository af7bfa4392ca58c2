//! How things stand, told and heard.

use std::collections::BTreeMap;

use access_grant::announcer::Announcer;
use access_grant::consumers::{FollowDevices, FollowDirectory, FollowTickets, FollowTraining};
use events::Delivery;
use events::testing::{announced, assert_takes_its_states, delivery};
use proto::Event;
use proto::access_grant::v1 as pb;
use proto::device::v1 as device;
use proto::ticket::v1 as ticket;
use types::AreaId;

use crate::world::{World, at};

#[tokio::test]
async fn live_grants_are_told_again_as_they_are() {
    let world = World::new().await;
    let north = world.area("acg_north").await;
    let (proved, _) = world.granted("face-1", &[north]).await;
    world.push().await;
    let (waiting, _) = world.granted("face-2", &[north]).await;

    let told = announced(&world.store, &Announcer).await;
    let names: BTreeMap<String, (String, u64)> =
        told.iter().map(|(_, it)| (it.subject_id.clone(), (it.name.clone(), it.version))).collect();
    let (proved, waiting) = (world.grant_of(&proved).await, world.grant_of(&waiting).await);
    let expected = BTreeMap::from([
        (proved.id.to_string(), ("AccessSynced".to_owned(), proved.version)),
        (waiting.id.to_string(), ("AccessGranted".to_owned(), waiting.version)),
    ]);
    assert_eq!(names, expected);
    let synced = told.iter().find(|(_, it)| it.name == "AccessSynced").unwrap();
    assert_eq!(
        synced.1.decode::<pb::AccessSynced>().unwrap(),
        world.told::<pb::AccessSynced>().await[0]
    );
}

#[tokio::test]
async fn who_hears_only_how_things_stand_knows_what_one_knows_who_was_there() {
    let world = World::new().await;
    let facts = a_morning(&world);
    for fact in &facts {
        world.deliver(&fact.1).await;
    }
    let mut states: BTreeMap<(&str, String), &Delivery> = BTreeMap::new();
    for (state, fact) in &facts {
        states.insert((state.kind, state.id.clone()), fact);
    }
    assert!(states.len() < facts.len());
    let late = World::new().await;
    late.harness.shell.clock.set(at(5), 0.0);
    // In any order: here of their kinds, backwards.
    for state in states.values().rev() {
        late.deliver(state).await;
    }
    for table in PRESENT {
        let (was_there, was_not) = (rows(&world, table).await, rows(&late, table).await);
        assert!(!was_there.is_empty(), "{table}");
        assert_eq!(was_there, was_not, "{table}");
    }
}

/// What is so now, whatever way it came.
const PRESENT: [&str; 7] = [
    "SELECT DISTINCT ON (ticket_id) t::text AS row FROM access_grant.ticket_versions t ORDER BY ticket_id, version DESC",
    "SELECT DISTINCT ON (daily_ticket_id) t::text AS row FROM access_grant.day_versions t ORDER BY daily_ticket_id, version DESC",
    "SELECT DISTINCT ON (area_id) t::text AS row FROM access_grant.area_versions t ORDER BY area_id, version DESC",
    "SELECT DISTINCT ON (worker_id) t::text AS row FROM access_grant.worker_versions t ORDER BY worker_id, version DESC",
    "SELECT t::text AS row FROM access_grant.completions t ORDER BY 1",
    "SELECT t::text AS row FROM access_grant.devices t ORDER BY 1",
    "SELECT (daily_ticket_id, worker_id, area_id, access_group_id, face_id, window_start, window_end, status)::text
     FROM access_grant.grants ORDER BY 1",
];

async fn rows(world: &World, query: &'static str) -> Vec<String> {
    sqlx::query_scalar(query).fetch_all(&world.harness.database.admin()).await.unwrap()
}

/// An area that moved to another group, two workers of whom one got a face later, a ticket that was published, amended
/// and started, one who completed it, and a door that went away and came back.
fn a_morning(world: &World) -> Vec<(proto::State, Delivery)> {
    let mut facts = Vec::new();
    let (north, workers) = (AreaId::new(), [types::WorkerId::new(), types::WorkerId::new()]);
    tell(&mut facts, &world.area_changed(north, "acg_old"), -700);
    tell(&mut facts, &world.area_changed(north, "acg_north"), -600);
    tell(&mut facts, &world.known(workers[0], ""), -600);
    tell(&mut facts, &world.known(workers[0], "face-1"), -590);
    tell(&mut facts, &world.bound(workers[0], "face-1", at(-580)), -580);
    tell(&mut facts, &world.known(workers[1], "face-2"), -580);
    let mut job = world.job(&workers[..1], &[north]);
    (job.day_status, job.version) = ("PUBLISHED", 1);
    tell(&mut facts, &job.published(), -500);
    (job.workers, job.version) = (workers.to_vec(), 2);
    let amended = ticket::TicketAmended { ticket: job.published().ticket, ..Default::default() };
    tell(&mut facts, &amended, -400);
    (job.day_status, job.version) = ("IN_PROGRESS", 3);
    let started =
        ticket::DailyTicketStarted { ticket: job.published().ticket, ..Default::default() };
    tell(&mut facts, &started, -300);
    tell(&mut facts, &job.trained(workers[0], 5), 5);
    let door = |version: u64, online| device::Device {
        device_id: "gate-1".to_owned(),
        site_id: world.site.to_string(),
        area_ids: vec![north.to_string()],
        direction: "both".to_owned(),
        online,
        version,
        ..Default::default()
    };
    tell(&mut facts, &device::DeviceChanged { device: Some(door(1, false)) }, -500);
    let since = Some(proto::timestamp(at(-400)));
    tell(&mut facts, &device::DeviceOnline { device: Some(door(2, true)), since }, -400);
    tell(&mut facts, &device::DeviceOffline { device: Some(door(3, false)), since }, -300);
    world.set_minute(5);
    facts
}

fn tell<E: Event>(facts: &mut Vec<(proto::State, Delivery)>, event: &E, minute: i64) {
    let delivery = Delivery { at: at(minute), ..delivery(event) };
    facts.push((event.state().unwrap(), delivery));
}

#[tokio::test]
async fn whichever_event_is_a_newest_state_is_taken() {
    let world = World::new().await;
    let clock = || world.harness.shell.clock.clone();
    assert_takes_its_states(&FollowDevices::new(clock()));
    assert_takes_its_states(&FollowDirectory::new(clock()));
    assert_takes_its_states(&FollowTickets::new(clock()));
    assert_takes_its_states(&FollowTraining::new(clock()));
}
