#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::time::Duration;

use proto::directory::v1 as pb;
use serde_json::{Value, json};
use types::{ErrorCode, SiteId};

use crate::outside::{id_no, name, person, phone};
use crate::rosters::{after, told_of};
use crate::world::{World, code, told};

fn without(mut person: Value, field: &str) -> Value {
    person[field] = Value::Null;
    person
}

async fn two_sites() -> (World, SiteId, SiteId) {
    let world = World::new().await;
    let (one, two) = (world.site("一号工地").await, world.site("二号工地").await);
    world.contractor("示例一建", &[one, two]).await;
    (world, one, two)
}

async fn counts(world: &World, site: SiteId) -> [u32; 4] {
    let brought = world.sync(site).await.unwrap();
    [brought.added, brought.changed, brought.unchanged, brought.gone]
}

#[tokio::test]
async fn the_roster_is_read_page_by_page_and_told_of_once() {
    let (world, site, _) = two_sites().await;
    let people: Vec<Value> = (1..=450).map(person).collect();
    world.outside.set_roster(&people);
    assert_eq!(counts(&world, site).await, [450, 0, 0, 0]);
    assert_eq!(world.facts::<pb::WorkerChanged>().await.len(), 450);
    assert_eq!(counts(&world, site).await, [0, 0, 450, 0]);
    assert_eq!(world.facts::<pb::WorkerChanged>().await.len(), 450, "the same again is no news");
    let found = world.find(site, "").await;
    assert_eq!((found.total, found.workers.len()), (450, 20));
    assert!(
        found.workers.iter().all(|row| !row.contractor_id.is_empty()),
        "contractors by their name on the site"
    );
    assert_eq!(
        proto::instant(found.roster_synced_at.as_ref()),
        Some(world.harness.now()),
        "how old the roster is can be said"
    );
    assert_eq!(world.records("worker.sync").await.len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn who_changed_and_who_is_gone_is_told_and_nobody_else() {
    let (world, site, _) = two_sites().await;
    world.outside.set_roster(&[person(1), person(2), person(3)]);
    world.sync(site).await.unwrap();
    let ids: Vec<String> = world.facts::<pb::WorkerChanged>().await.into_iter().map(id).collect();

    let mut moved = person(2);
    moved["team"] = json!("钢筋班");
    moved["contractor_name"] = json!("从未听说");
    world.outside.set_roster(&[person(1), moved]);
    assert_eq!(counts(&world, site).await, [0, 1, 1, 1]);
    let news = world.facts::<pb::WorkerChanged>().await.split_off(3);
    let (changed, gone) = (news[0].worker.clone().unwrap(), news[1].worker.clone().unwrap());
    assert_eq!((changed.worker_id.clone(), changed.version), (ids[1].clone(), 2));
    assert_eq!(changed.engagements[0].team, "钢筋班");
    assert_eq!(changed.engagements[0].contractor_id, "", "a contractor nobody made here is none");
    assert_eq!((gone.worker_id.clone(), gone.version), (ids[2].clone(), 2));
    assert_eq!((gone.status.as_str(), gone.engagements.len()), ("INACTIVE", 0));

    world.outside.set_roster(&[person(1), person(2), person(3)]);
    assert_eq!(counts(&world, site).await, [0, 2, 1, 0], "whoever returns is the same person");
    world.stop().await;
}

#[tokio::test]
async fn the_last_day_is_told_and_so_is_leaving_until_they_return() {
    let (world, one, two) = two_sites().await;
    let leaving = |until: Option<&str>| {
        let mut person = person(1);
        person["exit_date"] = json!(until);
        person
    };
    world.outside.set_roster(&[leaving(Some("2026-03-04")), person(2)]);
    world.sync(one).await.unwrap();
    world.outside.set_roster(&[leaving(None), person(2)]);
    world.sync(two).await.unwrap();
    let told = async || world.facts::<pb::WorkerChanged>().await.pop().unwrap().worker.unwrap();
    let ends = |worker: &pb::Worker| {
        let of = |site: SiteId| {
            let here = worker.engagements.iter().find(|here| here.site_id == site.to_string());
            here.map(|here| here.until.clone())
        };
        (of(one), of(two))
    };
    let until = "2026-03-04".to_owned();
    let both = world.facts::<pb::WorkerChanged>().await[2].worker.clone().unwrap();
    assert_eq!((ends(&both), both.departures), ((Some(until), Some(String::new())), vec![]));

    world.outside.set_roster(&[person(2)]);
    world.sync(one).await.unwrap();
    let left =
        |site: SiteId| pb::Departure { site_id: site.to_string(), until: "2026-03-02".to_owned() };
    let gone = told().await;
    assert_eq!((ends(&gone), &gone.departures), ((None, Some(String::new())), &vec![left(one)]));
    let store = world.harness.store("directory").await;
    let again = events::testing::announced(&store, &directory::Announcer).await;
    let again = again.iter().filter(|(kind, _)| *kind == "Worker");
    let mut again = again.map(|(_, it)| it.decode::<pb::WorkerChanged>().unwrap().worker.unwrap());
    assert!(again.any(|worker| worker == gone), "told again as it was told");
    world.sync(two).await.unwrap();
    assert_eq!(told().await.departures, [left(one), left(two)]);

    world.outside.set_roster(&[leaving(None), person(2)]);
    world.sync(one).await.unwrap();
    let back = told().await;
    assert_eq!((ends(&back), back.departures), ((Some(String::new()), None), vec![left(two)]));
    world.stop().await;
}

fn id(event: pb::WorkerChanged) -> String {
    event.worker.unwrap().worker_id
}

#[tokio::test]
async fn a_person_on_two_sites_is_one_worker_until_both_let_them_go() {
    let (world, one, two) = two_sites().await;
    world.outside.set_roster(&[person(1), person(2)]);
    world.sync(one).await.unwrap();
    world.sync(two).await.unwrap();
    let latest = world.facts::<pb::WorkerChanged>().await.pop().unwrap().worker.unwrap();
    assert_eq!((latest.engagements.len(), latest.version), (2, 2));

    world.outside.set_roster(&[person(1)]);
    world.sync(one).await.unwrap();
    let latest = world.facts::<pb::WorkerChanged>().await.pop().unwrap().worker.unwrap();
    assert_eq!((latest.engagements.len(), latest.status.as_str()), (1, "ACTIVE"));
    assert_eq!(world.find(two, &name(2)).await.total, 1);
    assert_eq!(world.find(one, &name(2)).await.total, 0);
    world.stop().await;
}

#[tokio::test]
async fn two_sites_that_read_the_same_people_at_once_make_them_once() {
    let (world, one, two) = two_sites().await;
    let mut people: Vec<Value> = (1..=40).map(person).collect();
    people.extend((41..=60).map(person).map(|person| without(person, "id_no")));
    world.outside.set_roster(&people);
    let (first, second) = tokio::join!(world.sync(one), world.sync(two));
    assert_eq!(first.unwrap().added + second.unwrap().added, 60);
    assert_eq!(world.count("SELECT count(*) FROM directory.workers").await, 60);
    world.stop().await;
}

#[tokio::test]
async fn while_the_real_name_system_is_away_the_last_roster_stays() {
    let (world, site, _) = two_sites().await;
    world.outside.set_roster(&[person(1), person(2)]);
    world.sync(site).await.unwrap();
    let before = world.find(site, "").await;
    world.harness.shell.clock.advance(chrono::TimeDelta::hours(1));

    world.outside.realname_goes_away(true);
    let refused = world.sync(site).await.unwrap_err();
    assert_eq!((refused.code.number(), &refused.data["upstream"]), (50301, &json!("realname")));
    world.outside.realname_goes_away(false);
    world.outside.set_roster(&[]);
    assert_eq!(code(&world.sync(site).await), 50301, "a roster of nobody is a fault");
    assert_eq!(world.find(site, "").await, before);
    world.stop().await;
}

#[tokio::test]
async fn a_reading_that_was_overtaken_writes_nothing() {
    let (world, site, _) = two_sites().await;
    world.outside.set_roster(&[person(1), person(2)]);
    let held = world.outside.hold_roster().await;
    let overtaken = async {
        let answer = world.sync(site).await;
        code(&answer)
    };
    let newer = async {
        // The first reading has begun: it has taken the site's first epoch.
        test_support::eventually("the first reading", async || {
            let epoch =
                world.count("SELECT coalesce(max(epoch), 0) FROM directory.roster_syncs").await;
            (epoch == 1).then_some(())
        })
        .await;
        let begun = world.sync(site);
        let release = async {
            test_support::eventually("the second reading", async || {
                let epoch = world.count("SELECT max(epoch) FROM directory.roster_syncs").await;
                (epoch == 2).then_some(())
            })
            .await;
            drop(held);
        };
        tokio::join!(begun, release).0
    };
    let (first, second) = tokio::join!(overtaken, newer);
    assert_eq!(first, 40902);
    assert_eq!(second.unwrap().added, 2);
    world.stop().await;
}

#[tokio::test]
async fn a_reading_whose_caller_has_gone_is_read_to_its_end() {
    let (world, site, _) = two_sites().await;
    world.outside.set_roster(&[person(1), person(2)]);
    let held = world.outside.hold_roster().await;
    let message = pb::SyncWorkersRequest { site_id: site.to_string(), ..Default::default() };
    let mut request = world.by(&world.sysadmin, message);
    request.set_timeout(Duration::from_secs(1));
    let answer = told(world.client.clone().sync_workers(request).await);
    assert_eq!(code(&answer), ErrorCode::Timeout.number());
    assert_eq!(world.outside.pages(), 0, "the first page is still waited for");

    drop(held);
    let reading = after(&world, site, chrono::TimeDelta::zero(), 1).await;
    assert_eq!(told_of(&reading), ("WHOLE", "DONE", [2, 0, 0, 0]));
    world.stop().await;
}

#[tokio::test]
async fn someone_without_an_identity_number_keeps_their_place_when_it_comes() {
    let (world, site, _) = two_sites().await;
    world.outside.set_roster(&[without(person(1), "id_no")]);
    assert_eq!(counts(&world, site).await, [1, 0, 0, 0]);
    assert_eq!(counts(&world, site).await, [0, 0, 1, 0]);
    let before = world.find(site, &phone(1)).await.workers[0].clone();
    assert_eq!(before.id_no_masked, "");

    world.outside.set_roster(&[person(1)]);
    assert_eq!(counts(&world, site).await, [0, 1, 0, 0]);
    let after = world.find(site, &id_no(1)).await.workers[0].clone();
    assert_eq!(after.worker_id, before.worker_id);
    world.stop().await;
}

#[tokio::test]
async fn who_cannot_be_told_apart_or_stands_there_twice_is_taken_once_or_not() {
    let (world, site, _) = two_sites().await;
    let nobody = without(without(person(2), "id_no"), "phone");
    let mut broken = person(3);
    broken["id_no"] = json!("659999199001010000");
    world.outside.set_roster(&[person(1), person(1), nobody, broken]);
    assert_eq!(counts(&world, site).await, [2, 0, 0, 0]);
    assert_eq!(
        world.find(site, &phone(3)).await.workers[0].id_no_masked,
        "",
        "no valid number is none"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_site_that_is_not_there_is_not_found() {
    let world = World::new().await;
    assert_eq!(code(&world.sync(SiteId::new()).await), 40400);
    world.stop().await;
}
