//! Rosters read when their time has come, and what is kept of each reading.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use directory::RosterRhythm;
use proto::directory::v1 as pb;
use serde_json::{Value, json};
use service::Refusal;
use types::SiteId;

use crate::outside::{dated, name, person, phone, photo_url};
use crate::world::{World, bad_fields, code, told};

/// Every half hour, whole once a day.
pub(crate) async fn scheduled() -> (World, SiteId) {
    let rhythm = RosterRhythm { every_minutes: 30, whole_every_hours: 24 };
    let world = World::configured(|config| config.roster_rhythm = Some(rhythm)).await;
    let site = world.site("一号工地").await;
    world.contractor("示例一建", &[site]).await;
    (world, site)
}

pub(crate) async fn readings(world: &World, site: SiteId) -> pb::ListRosterReadingsResponse {
    let message = pb::ListRosterReadingsRequest { site_id: site.to_string(), page: None };
    told(world.client.clone().list_roster_readings(world.by(&world.sysadmin, message)).await)
        .unwrap()
}

/// Lets site time pass and waits for the reading that comes of it: this many in all, none under way.
pub(crate) async fn after(
    world: &World,
    site: SiteId,
    time: TimeDelta,
    count: usize,
) -> pb::RosterReading {
    world.harness.shell.clock.advance(time);
    test_support::eventually("a reading", async || {
        let readings = readings(world, site).await.readings;
        let ended = readings.iter().all(|reading| reading.ended_at.is_some());
        (ended && readings.len() == count).then(|| readings[0].clone())
    })
    .await
}

async fn changes(
    world: &World,
    reading: &str,
    change: &str,
) -> Result<pb::ListRosterChangesResponse, Refusal> {
    let message = pb::ListRosterChangesRequest {
        reading_id: reading.to_owned(),
        change: change.to_owned(),
        page: None,
    };
    told(world.client.clone().list_roster_changes(world.by(&world.sysadmin, message)).await)
}

pub(crate) fn told_of(reading: &pb::RosterReading) -> (&str, &str, [u32; 4]) {
    let pb::RosterReading { added, changed, unchanged, gone, .. } = *reading;
    (&reading.kind, &reading.outcome, [added, changed, unchanged, gone])
}

pub(crate) const HALF_HOUR: TimeDelta = TimeDelta::minutes(30);

#[tokio::test]
async fn changes_are_read_each_interval_and_the_whole_roster_once_a_day() {
    let (world, site) = scheduled().await;
    let old = "2026-03-01T08:00:00+08:00";
    let people: Vec<Value> = (1..=3).map(|number| dated(person(number), old)).collect();
    world.outside.set_roster(&people);
    let first = after(&world, site, HALF_HOUR, 1).await;
    assert_eq!(told_of(&first), ("WHOLE", "DONE", [3, 0, 0, 0]));
    assert_eq!(first.asked_by, "", "time asked for it");

    let mut moved = dated(person(2), "2026-03-02T09:00:00+08:00");
    moved["team"] = json!("钢筋班");
    world.outside.set_roster(&[people[0].clone(), moved.clone()]);
    let second = after(&world, site, HALF_HOUR, 2).await;
    // Who changed within the minutes before the last change known is asked for again.
    assert_eq!(told_of(&second), ("CHANGES", "DONE", [0, 1, 1, 0]));
    assert_eq!(world.find(site, "").await.total, 3, "who is not named has not left");

    let third = after(&world, site, TimeDelta::hours(24), 3).await;
    assert_eq!(told_of(&third), ("WHOLE", "DONE", [0, 0, 2, 1]));
    assert_eq!(world.find(site, "").await.total, 2);
    let asked = world.outside.asked_since();
    assert_eq!(asked, ["", "2026-02-28T23:55:00Z", "", ""], "once more before anybody goes");
    assert_eq!(world.records("worker.sync").await.len(), 3, "each of them brought something");
    let fourth = after(&world, site, HALF_HOUR, 4).await;
    assert_eq!(told_of(&fourth), ("CHANGES", "DONE", [0, 0, 1, 0]));
    assert_eq!(world.records("worker.sync").await.len(), 3, "nothing new is no command");
    world.stop().await;
}

#[tokio::test]
async fn whom_the_changes_name_as_left_is_gone() {
    let (world, site) = scheduled().await;
    let people: Vec<Value> =
        (1..=2).map(|number| dated(person(number), "2026-03-01T08:00:00Z")).collect();
    world.outside.set_roster(&people);
    after(&world, site, HALF_HOUR, 1).await;
    let mut left = dated(person(2), "2026-03-02T08:00:00Z");
    left["status"] = json!("LEFT");
    world.outside.set_roster(&[people[0].clone(), left]);
    let reading = after(&world, site, HALF_HOUR, 2).await;
    assert_eq!(told_of(&reading), ("CHANGES", "DONE", [0, 0, 1, 1]));
    let gone = changes(&world, &reading.reading_id, "GONE").await.unwrap();
    assert_eq!(gone.changes[0].worker.clone().unwrap().name, name(2));
    let worker = world.facts::<pb::WorkerChanged>().await.pop().unwrap().worker.unwrap();
    assert_eq!((worker.status.as_str(), worker.engagements.len()), ("INACTIVE", 0));
    world.stop().await;
}

#[tokio::test]
async fn a_roster_that_is_no_longer_dated_throughout_is_read_whole_each_time() {
    let (world, site) = scheduled().await;
    let people: Vec<Value> =
        (1..=2).map(|number| dated(person(number), "2026-03-01T08:00:00Z")).collect();
    world.outside.set_roster(&people);
    after(&world, site, HALF_HOUR, 1).await;
    world.outside.set_roster(&[people[0].clone(), person(2)]);
    let undated = after(&world, site, TimeDelta::hours(24), 2).await;
    assert_eq!(told_of(&undated), ("WHOLE", "DONE", [0, 0, 2, 0]));
    world.outside.set_roster(&[people[0].clone(), person(2), person(3)]);
    let next = after(&world, site, HALF_HOUR, 3).await;
    assert_eq!(told_of(&next), ("WHOLE", "DONE", [1, 0, 2, 0]));
    world.outside.set_roster(&people);
    after(&world, site, HALF_HOUR, 4).await;
    let dated_again = after(&world, site, HALF_HOUR, 5).await;
    assert_eq!(told_of(&dated_again).0, "CHANGES");
    world.stop().await;
}

#[tokio::test]
async fn while_the_real_name_system_is_away_it_is_tried_again_and_the_age_is_told() {
    let (world, site) = scheduled().await;
    world.outside.set_roster(&[dated(person(1), "2026-03-01T08:00:00Z")]);
    after(&world, site, HALF_HOUR, 1).await;
    let read_at = world.harness.now();

    world.outside.realname_goes_away(true);
    let away = after(&world, site, HALF_HOUR, 2).await;
    assert_eq!(told_of(&away), ("CHANGES", "AWAY", [0; 4]));
    let known = readings(&world, site).await;
    assert_eq!(proto::instant(known.roster_synced_at.as_ref()), Some(read_at));
    assert_eq!(world.find(site, "").await.total, 1, "the last roster stays");
    let refused = world.sync(site).await.unwrap_err();
    assert_eq!(
        (refused.code.number(), &refused.data["roster_synced_at"]),
        (50301, &json!(read_at.to_rfc3339()))
    );

    world.outside.realname_goes_away(false);
    let again = after(&world, site, TimeDelta::minutes(5), 4).await;
    assert_eq!(told_of(&again).1, "DONE", "after five minutes, not after thirty");
    world.stop().await;
}

#[tokio::test]
async fn a_reading_s_report_says_who_asked_and_whom_it_found() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let (own, other) =
        (world.contractor("示例一建", &[site]).await, world.contractor("示例二建", &[site]).await);
    let mut others = person(2);
    others["contractor_name"] = json!("示例二建");
    let nobody = json!({ "name": "无号", "phone": "1" });
    world.outside.set_roster(&[person(1), others, person(3), nobody]);
    let first = world.sync(site).await.unwrap();
    assert_eq!((first.added, first.left_out), (3, 1));
    world.harness.shell.clock.advance(TimeDelta::minutes(1));
    world.outside.set_roster(&[person(1)]);
    let second = world.sync(site).await.unwrap();

    let found = readings(&world, site).await;
    assert_eq!(found.total, 2);
    let ids: Vec<&str> = found.readings.iter().map(|it| it.reading_id.as_str()).collect();
    assert_eq!(ids, [&second.reading_id, &first.reading_id], "the newest first");
    assert_eq!(found.readings[0].asked_by, world.sysadmin.account_id().unwrap().to_string());
    assert_eq!((found.readings[1].added, found.readings[1].left_out), (3, 1));
    let gone = changes(&world, &second.reading_id, "GONE").await.unwrap();
    assert_eq!((gone.total, gone.changes.len()), (2, 2));
    assert_eq!(gone.site_id, site.to_string());
    assert_eq!(changes(&world, &second.reading_id, "ADDED").await.unwrap().total, 0);
    assert_eq!(changes(&world, &first.reading_id, "").await.unwrap().total, 3);
    assert_eq!(bad_fields(changes(&world, "x", "LOST").await), ["reading_id", "change"]);

    let ask = async |caller: &auth::Caller| {
        let reading_id = first.reading_id.clone();
        let message = pb::ListRosterChangesRequest { reading_id, ..Default::default() };
        told(world.client.clone().list_roster_changes(world.by(caller, message)).await)
    };
    let confined = ask(&world.harness.contractor_admin(site, own)).await.unwrap();
    assert_eq!(confined.total, 2, "the other contractor's person is left out");

    // What became of other contractors' people is not told in numbers either, nor who asked.
    let message = pb::ListRosterReadingsRequest { site_id: site.to_string(), page: None };
    let request = world.by(&world.harness.contractor_admin(site, own), message);
    let theirs = told(world.client.clone().list_roster_readings(request).await).unwrap();
    assert_eq!((theirs.total, theirs.roster_synced_at), (2, found.roster_synced_at));
    let counts: Vec<_> = theirs.readings.iter().map(told_of).collect();
    assert_eq!(
        counts,
        [("WHOLE", "DONE", [0, 0, 0, 1]), ("WHOLE", "DONE", [2, 0, 0, 0])],
        "how many were unchanged is not told"
    );
    let rest: Vec<_> =
        theirs.readings.iter().map(|it| (it.asked_by.as_str(), it.left_out)).collect();
    assert_eq!(rest, [("", 0), ("", 0)]);
    assert_eq!(theirs.readings[1].started_at, found.readings[1].started_at);
    let elsewhere = world.site("二号工地").await;
    assert_eq!(code(&ask(&world.harness.contractor_admin(elsewhere, other)).await), 40400);
    world.stop().await;
}

#[tokio::test]
async fn an_earlier_engagement_stays_readable_with_its_times() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=2).await;
    let (came, hour) = (world.harness.now(), TimeDelta::hours(1));
    let sync = async |people: &[Value]| {
        world.harness.shell.clock.advance(hour);
        world.outside.set_roster(people);
        world.sync(site).await.unwrap();
    };
    let mut moved = person(1);
    moved["team"] = json!("钢筋班");
    sync(&[moved.clone(), person(2)]).await;
    sync(&[person(2)]).await;
    sync(&[moved, person(2)]).await;

    let message = pb::GetWorkerRequest { worker_id: workers[0].clone() };
    let found = world.client.clone().get_worker(world.by(&world.sysadmin, message)).await;
    let found = told(found).unwrap();
    let spells: Vec<_> = found
        .engagements
        .iter()
        .map(|spell| {
            let at = |at: &Option<_>| proto::instant(at.as_ref()).map(|at| at - came);
            (spell.team.as_str(), at(&spell.engaged_at), at(&spell.left_at))
        })
        .collect();
    assert_eq!(
        spells,
        [
            ("钢筋班", Some(hour * 3), None),
            ("钢筋班", Some(hour), Some(hour * 2)),
            ("木工班", Some(TimeDelta::zero()), Some(hour)),
        ]
    );
    assert_eq!(
        world.count("SELECT count(*) FROM directory.engagements WHERE left_at IS NULL").await,
        2
    );
    world.stop().await;
}

#[tokio::test]
async fn a_picture_s_address_is_told_to_those_who_need_a_face_and_a_new_one_is_news() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=1).await;
    let resolved = async |service: &'static str, purpose: &str| {
        let message =
            pb::ResolveWorkersRequest { worker_ids: workers.clone(), purpose: purpose.to_owned() };
        let request = world.harness.shell.as_service(service, message);
        let resolved = told(world.client.clone().resolve_workers(request).await).unwrap().workers;
        resolved[0].photo_url.clone()
    };
    assert_eq!(resolved("access-grant", "DOOR_SYNC").await, photo_url(1));
    assert_eq!(resolved("training", "FACE_VERIFICATION").await, photo_url(1));
    assert_eq!(resolved("notification", "WECHAT_NOTICE").await, "");
    let mut another = person(1);
    another["photo_url"] = json!(photo_url(9));
    world.outside.set_roster(&[another]);
    assert_eq!(world.sync(site).await.unwrap().changed, 1);
    assert_eq!(resolved("access-grant", "DOOR_SYNC").await, photo_url(9));
    world.stop().await;
}

/// The goal is twenty seconds, of a release build; this one is not optimised and shares its processors.
#[tokio::test]
async fn ten_thousand_people_are_read_within_the_minute() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.contractor("示例一建", &[site]).await;
    world.outside.set_roster(&(0..10_000).map(person).collect::<Vec<_>>());
    let (started, mut request) = (
        Instant::now(),
        world.by(
            &world.sysadmin,
            pb::SyncWorkersRequest { site_id: site.to_string(), ..Default::default() },
        ),
    );
    request.set_timeout(Duration::from_mins(1));
    let read = told(world.client.clone().sync_workers(request).await).unwrap();
    assert_eq!(read.added, 10_000);
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
    assert_eq!(world.find(site, &phone(9_999)).await.total, 1);
    world.stop().await;
}
