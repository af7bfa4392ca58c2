//! Whose people a site's roster is of: those of its project in the real-name system.

use chrono::TimeDelta;
use proto::directory::v1 as pb;
use serde_json::{Value, json};
use service::Refusal;
use types::SiteId;

use crate::outside::{dated, person, phone};
use crate::rosters::{HALF_HOUR, after, readings, scheduled, told_of};
use crate::world::{World, bad_fields, code, told};

/// Somebody who works on these projects.
fn on(number: u32, projects: &[&str]) -> Value {
    let mut person = person(number);
    person["project_codes"] = json!(projects);
    person
}

async fn set_project(
    world: &World,
    (site, version): (SiteId, u64),
    project: &str,
) -> Result<pb::ChangeSiteResponse, Refusal> {
    let settings =
        pb::SiteSettings { realname_project: Some(project.to_owned()), ..Default::default() };
    let message = pb::ChangeSiteRequest {
        site_id: site.to_string(),
        version,
        settings: Some(settings),
        ..Default::default()
    };
    told(world.client.clone().change_site(world.by(&world.sysadmin, message)).await)
}

async fn people(world: &World, site: SiteId) -> Vec<String> {
    let found = world.find(site, "").await.workers.into_iter();
    let mut phones: Vec<String> = found.map(|row| row.phone_masked).collect();
    phones.sort_unstable();
    phones
}

#[tokio::test]
async fn each_site_has_the_people_of_its_own_project() {
    let world = World::new().await;
    let (one, two) = (world.site_of("一号工地", "P1").await, world.site_of("二号工地", "P2").await);
    world.outside.set_roster(&[on(1, &["P1"]), on(2, &["P2"]), on(3, &["P1", "P2"])]);
    world.sync(one).await.unwrap();
    world.sync(two).await.unwrap();
    assert_eq!(people(&world, one).await, ["199****0001", "199****0003"]);
    assert_eq!(people(&world, two).await, ["199****0002", "199****0003"]);

    // Two pages.
    world.outside.set_roster(&(1..=201).map(|number| on(number, &["P1"])).collect::<Vec<_>>());
    world.sync(one).await.unwrap();
    assert_eq!(world.find(one, "").await.total, 201);
    let asked = world.outside.asked_projects();
    assert_eq!(asked, ["P1", "P2", "P1", "P1", "P1", "P1"], "two pages are read twice");
    world.stop().await;
}

#[tokio::test]
async fn a_roster_with_people_of_other_projects_alone_is_not_the_site_s() {
    let world = World::new().await;
    let (one, _) = (world.site_of("一号工地", "P1").await, world.site_of("二号工地", "P2").await);
    world.outside.ignore_projects();
    world.outside.set_roster(&[on(1, &["P1"]), on(2, &["P2"])]);
    assert_eq!(code(&world.sync(one).await), 50301);
    assert_eq!(told_of(&readings(&world, one).await.readings[0]).1, "AWAY");
    assert!(people(&world, one).await.is_empty(), "who else it names is not believed either");

    // Who has left this project may well be on another.
    let mut left = on(2, &["P2"]);
    left["status"] = json!("LEFT");
    world.outside.set_roster(&[on(1, &["P1"]), left, person(3)]);
    world.sync(one).await.unwrap();
    assert_eq!(people(&world, one).await, ["199****0001", "199****0003"]);
    world.stop().await;
}

#[tokio::test]
async fn a_site_without_a_code_is_read_while_it_is_the_only_one() {
    let world = World::new().await;
    let site = world.site_of("一号工地", "").await;
    world.outside.set_roster(&[on(1, &["P1"]), on(2, &["P2"])]);
    assert_eq!(world.sync(site).await.unwrap().added, 2);
    assert_eq!(world.outside.asked_projects(), [""]);
    let read_at = world.harness.now();

    world.site_of("二号工地", "").await;
    world.harness.shell.clock.advance(TimeDelta::hours(1));
    let refused = world.sync(site).await.unwrap_err();
    assert_eq!(refused.code.number(), 40902);
    assert!(refused.data["reason"].as_str().unwrap().contains("settings.realname_project"));
    assert_eq!(refused.data["roster_synced_at"], json!(read_at.to_rfc3339()));
    assert_eq!(world.outside.asked_projects().len(), 1, "nobody was asked");
    let known = readings(&world, site).await;
    assert_eq!(told_of(&known.readings[0]), ("WHOLE", "NO_PROJECT", [0; 4]));
    assert_eq!(proto::instant(known.roster_synced_at.as_ref()), Some(read_at));
    assert_eq!(world.find(site, "").await.total, 2, "the last roster stays");

    let changed = set_project(&world, (site, 1), "P1").await.unwrap().site.unwrap();
    assert_eq!(changed.settings.unwrap().realname_project(), "P1");
    assert_eq!(world.sync(site).await.unwrap().gone, 1);
    assert_eq!(people(&world, site).await, ["199****0001"]);
    world.stop().await;
}

#[tokio::test]
async fn a_site_without_a_code_keeps_no_other_from_being_read_when_its_time_has_come() {
    let (world, site) = scheduled().await;
    let other = world.site_of("二号工地", "").await;
    world.outside.set_roster(&[person(1)]);
    let read = after(&world, site, HALF_HOUR, 1).await;
    assert_eq!(told_of(&read), ("WHOLE", "DONE", [1, 0, 0, 0]));
    let unread = after(&world, other, TimeDelta::zero(), 1).await;
    assert_eq!(told_of(&unread), ("WHOLE", "NO_PROJECT", [0; 4]));
    test_support::eventually("the run to end", async || {
        let running = "SELECT count(*) FROM directory.job_runs
             WHERE job = 'directory.read-rosters' AND finished_at IS NULL AND error IS NULL";
        (world.count(running).await == 0).then_some(())
    })
    .await;
    let failed = "SELECT count(*) FROM directory.job_runs WHERE error IS NOT NULL";
    assert_eq!(
        world.count(failed).await,
        0,
        "it is the administrators' to mend, not the run's failure"
    );
    world.stop().await;
}

#[tokio::test]
async fn another_code_asks_for_a_whole_reading_and_overtakes_one_that_is_under_way() {
    let (world, site) = scheduled().await;
    world.outside.set_roster(&[dated(person(1), "2026-03-01T08:00:00Z")]);
    let first = after(&world, site, HALF_HOUR, 1).await;
    assert_eq!(told_of(&first).0, "WHOLE");
    set_project(&world, (site, 1), "P1").await.unwrap();
    let known = "SELECT count(*) FROM directory.roster_syncs WHERE read_up_to IS NOT NULL";
    assert_eq!(world.count(known).await, 0, "another list has other changes");
    let second = after(&world, site, HALF_HOUR, 2).await;
    assert_eq!(told_of(&second).0, "WHOLE", "the changes name nobody of another project");
    let third = after(&world, site, HALF_HOUR, 3).await;
    assert_eq!(told_of(&third).0, "CHANGES");

    world.harness.shell.clock.advance(TimeDelta::minutes(1));
    let held = world.outside.hold_roster().await;
    let change = async {
        test_support::eventually("a reading", async || {
            let running = readings(&world, site).await.readings.remove(0).outcome == "RUNNING";
            running.then_some(())
        })
        .await;
        let changed = set_project(&world, (site, 2), "P2").await;
        drop(held);
        code(&changed)
    };
    let (read, changed) = tokio::join!(world.sync(site), change);
    assert_eq!((code(&read), changed), (40902, 0));
    assert_eq!(readings(&world, site).await.readings[0].outcome, "OVERTAKEN");
    world.stop().await;
}

#[tokio::test]
async fn no_two_sites_have_one_project_and_its_code_has_an_end() {
    let world = World::new().await;
    let one = world.site_of("一号工地", "P1").await;
    let two = world.site_of("二号工地", "").await;
    let field = "settings.realname_project";
    assert_eq!(bad_fields(set_project(&world, (two, 1), "P1").await), [field]);
    assert_eq!(bad_fields(set_project(&world, (two, 1), &"1".repeat(65)).await), [field]);
    assert!(set_project(&world, (two, 1), &"1".repeat(64)).await.is_ok());
    for (site, version) in [(one, 1), (two, 2)] {
        assert!(set_project(&world, (site, version), "").await.is_ok(), "neither has any");
    }
    let record = world.records("site.change").await.pop().unwrap();
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(read(&record.before), json!({ "realname_project": "1".repeat(64) }));
    assert_eq!(read(&record.after), json!({ "realname_project": "" }));
    assert_eq!(world.find(one, &phone(1)).await.total, 0);
    world.stop().await;
}
