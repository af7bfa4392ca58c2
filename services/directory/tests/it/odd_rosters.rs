//! Rosters that are not believed, and readings that do not come to their end.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::time::Duration;

use chrono::TimeDelta;
use proto::directory::v1 as pb;
use serde_json::{Value, json};
use service::Refusal;
use sqlx::AssertSqlSafe;
use types::SiteId;

use crate::outside::{dated, name, person};
use crate::rosters::{HALF_HOUR, after, readings, scheduled, told_of};
use crate::world::{World, code, told};

fn people(numbers: std::ops::RangeInclusive<u32>) -> Vec<Value> {
    numbers.map(person).collect()
}

async fn accept_departures(
    world: &World,
    site: SiteId,
) -> Result<pb::SyncWorkersResponse, Refusal> {
    let message = pb::SyncWorkersRequest { site_id: site.to_string(), accept_departures: true };
    told(world.client.clone().sync_workers(world.by(&world.sysadmin, message)).await)
}

/// What each record of a reading says came of it.
async fn recorded(world: &World) -> Vec<Value> {
    let records = world.records("worker.sync").await;
    records.iter().map(|record| serde_json::from_str(&record.after).unwrap()).collect()
}

async fn execute(world: &World, statement: &str) {
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&world.admin).await.unwrap();
}

#[tokio::test]
async fn a_roster_that_changes_while_it_is_read_is_read_again_but_not_for_ever() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.outside.set_roster(&people(1..=201));
    world.outside.claim_totals(&[202]);
    assert_eq!(world.sync(site).await.unwrap().added, 201);
    assert_eq!(world.outside.asked_since().len(), 2 + 1, "and once more for who slipped");

    world.outside.claim_totals(&[202, 201, 202, 201, 202, 201]);
    assert_eq!(code(&world.sync(site).await), 50301);
    assert_eq!(world.outside.asked_since().len(), 3 + 3);
    world.stop().await;
}

#[tokio::test]
async fn who_slips_from_one_page_to_another_while_the_roster_is_read_stays() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.outside.set_roster(&people(1..=201));
    assert_eq!(world.sync(site).await.unwrap().added, 201);
    assert_eq!(world.outside.asked_since().len(), 2, "of more than a page");

    // The first person leaves and another joins between the pages: as many as before, and the last of them all is on
    // neither page.
    world.outside.set_roster_after_a_page(&people(2..=202));
    let shifted = world.sync(site).await.unwrap();
    assert_eq!([shifted.added, shifted.unchanged, shifted.gone], [1, 201, 0]);
    assert_eq!(world.outside.asked_since().len(), 2 + 2);
    assert_eq!(world.find(site, &name(201)).await.total, 1);

    let next = world.sync(site).await.unwrap();
    assert_eq!([next.added, next.unchanged, next.gone], [0, 201, 1], "who is on neither goes");
    assert_eq!(world.find(site, &name(1)).await.total, 0);
    world.stop().await;
}

/// Two hundred people whom the roster has long known, which fill a page.
fn a_page_of_people() -> Vec<Value> {
    people(1..=200).into_iter().map(|person| dated(person, "2026-03-01T08:00:00+08:00")).collect()
}

#[tokio::test]
async fn who_joins_and_slips_from_one_page_to_another_is_found() {
    let (world, site) = scheduled().await;
    let known = a_page_of_people();
    world.outside.set_roster(&known);
    after(&world, site, HALF_HOUR, 1).await;

    // Who joined first is on neither page: between them one person leaves and another joins, who is dated later.
    let mut listed = [known, vec![dated(person(201), "2026-03-01T09:00:00+08:00")]].concat();
    world.outside.set_roster(&listed);
    listed.remove(0);
    listed.push(dated(person(202), "2026-03-01T11:00:00+08:00"));
    world.outside.set_roster_after_a_page(&listed);
    let shifted = after(&world, site, HALF_HOUR, 2).await;
    assert_eq!(told_of(&shifted), ("CHANGES", "DONE", [2, 0, 200, 0]));
    assert_eq!(world.find(site, &name(201)).await.total, 1);
    world.stop().await;
}

#[tokio::test]
async fn who_is_named_as_left_and_slips_from_one_page_to_another_goes() {
    let (world, site) = scheduled().await;
    let mut listed = a_page_of_people();
    listed.push(dated(person(201), "2026-03-01T08:00:00+08:00"));
    world.outside.set_roster(&listed);
    after(&world, site, HALF_HOUR, 1).await;

    listed[200] = dated(person(201), "2026-03-01T09:00:00+08:00");
    listed[200]["status"] = json!("LEFT");
    world.outside.set_roster(&listed);
    listed.remove(0);
    listed.push(dated(person(202), "2026-03-01T11:00:00+08:00"));
    world.outside.set_roster_after_a_page(&listed);
    let shifted = after(&world, site, HALF_HOUR, 2).await;
    assert_eq!(told_of(&shifted), ("CHANGES", "DONE", [1, 0, 200, 1]));
    assert_eq!(world.find(site, &name(201)).await.total, 0);
    world.stop().await;
}

#[tokio::test]
async fn who_leaves_between_the_two_answers_goes_with_the_next_changes() {
    let (world, site) = scheduled().await;
    let mut listed = a_page_of_people();
    listed.push(dated(person(201), "2026-03-01T08:00:00+08:00"));
    world.outside.set_roster(&listed);
    after(&world, site, HALF_HOUR, 1).await;

    // Later than the first answer knew; the second also has a change that is later by far.
    listed[0] = dated(person(1), "2026-03-01T09:00:00+08:00");
    listed[0]["status"] = json!("LEFT");
    listed[1] = dated(person(2), "2026-03-01T11:00:00+08:00");
    world.outside.set_roster_after_a_page(&listed);
    let still = after(&world, site, HALF_HOUR, 2).await;
    assert_eq!(told_of(&still), ("CHANGES", "DONE", [0, 0, 201, 0]), "who is on either stays");
    let next = after(&world, site, HALF_HOUR, 3).await;
    assert_eq!((next.kind.as_str(), next.gone), ("CHANGES", 1));
    world.stop().await;
}

#[tokio::test]
async fn nobody_goes_where_the_roster_cannot_be_read_once_more() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.outside.set_roster(&people(1..=3));
    world.sync(site).await.unwrap();
    world.outside.set_roster(&people(1..=2));
    // The first answer is whole, the second ends early.
    world.outside.claim_totals(&[2, 3, 3]);
    assert_eq!(code(&world.sync(site).await), 50301);
    assert_eq!(world.find(site, "").await.total, 3);
    world.stop().await;
}

#[tokio::test]
async fn a_roster_without_an_end_and_one_that_ends_early_are_none() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.outside.set_roster(&people(1..=2));
    world.outside.claim_totals(&[5, 5]);
    assert_eq!(code(&world.sync(site).await), 50301, "three are missing");
    assert_eq!(world.outside.pages(), 2);
    world.outside.never_end();
    assert_eq!(code(&world.sync(site).await), 50301);
    assert_eq!(world.outside.pages(), 2 + 500);
    assert_eq!(world.find(site, "").await.total, 0);
    world.stop().await;
}

#[tokio::test]
async fn a_roster_that_lacks_most_people_is_believed_only_by_a_person_s_word() {
    let (world, site) = scheduled().await;
    world.outside.set_roster(&people(1..=30));
    let first = after(&world, site, HALF_HOUR, 1).await;
    assert_eq!(told_of(&first), ("WHOLE", "DONE", [30, 0, 0, 0]));
    let read_at = world.harness.now();

    world.outside.set_roster(&people(1..=14));
    let by_time = after(&world, site, HALF_HOUR, 2).await;
    assert_eq!(told_of(&by_time), ("WHOLE", "SUSPECT", [0, 0, 14, 0]));
    let refused = world.sync(site).await.unwrap_err();
    assert_eq!(
        (refused.code.number(), &refused.data["held"], &refused.data["gone"]),
        (50301, &json!(30), &json!(16))
    );
    assert_eq!(refused.data["roster_synced_at"], json!(read_at.to_rfc3339()));
    assert_eq!(world.find(site, "").await.total, 30, "the last roster stays");

    assert_eq!(accept_departures(&world, site).await.unwrap().gone, 16);
    assert_eq!(world.find(site, "").await.total, 14);
    world.outside.set_roster(&[]);
    assert_eq!(code(&world.sync(site).await), 50301);
    assert_eq!(accept_departures(&world, site).await.unwrap().gone, 14);
    let accepted: Vec<Value> =
        recorded(&world).await.iter().map(|it| it["accept_departures"].clone()).collect();
    assert_eq!(accepted, [json!(false), json!(true), json!(true)], "whose word it was is kept");
    world.stop().await;
}

#[tokio::test]
async fn a_reading_that_fails_on_its_way_tells_and_records_what_it_has_written() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.contractor("示例一建", &[site]).await;
    let mut all = people(1..=501);
    all[500]["team"] = json!("坏班");
    world.outside.set_roster(&all);
    execute(&world, "ALTER TABLE directory.engagements ADD CONSTRAINT odd CHECK (team <> '坏班')")
        .await;
    assert_eq!(code(&world.sync(site).await), 50000);

    let failed = readings(&world, site).await.readings.remove(0);
    assert_eq!(told_of(&failed), ("WHOLE", "FAILED", [500, 0, 0, 0]));
    let records = recorded(&world).await;
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((&record["outcome"], &record["added"]), (&json!("FAILED"), &json!(500)));
    assert_eq!(record["reading_id"], failed.reading_id);
    world.stop().await;
}

#[tokio::test]
async fn what_a_reading_wrote_whose_process_died_is_recorded_by_the_next() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.outside.set_roster(&people(1..=2));
    world.sync(site).await.unwrap();
    execute(&world, "UPDATE directory.roster_readings SET ended_at = NULL, outcome = NULL").await;
    world.harness.shell.clock.advance(HALF_HOUR);
    world.sync(site).await.unwrap();

    let died = readings(&world, site).await.readings.remove(1);
    assert_eq!(told_of(&died), ("WHOLE", "OVERTAKEN", [2, 0, 0, 0]));
    let records = recorded(&world).await;
    let outcomes: Vec<_> = records.iter().map(|record| &record["outcome"]).collect();
    assert_eq!(outcomes, ["DONE", "OVERTAKEN", "DONE"]);
    assert_eq!((&records[1]["added"], &records[1]["asked_by"]), (&json!(2), &json!(died.asked_by)));
    world.sync(site).await.unwrap();
    assert_eq!(recorded(&world).await.len(), 4, "and by none after that");
    world.stop().await;
}

#[tokio::test]
async fn one_site_s_failure_keeps_no_other_from_being_read() {
    let (world, broken) = scheduled().await;
    let other = world.site("二号工地").await;
    world.outside.set_roster(&people(1..=1));
    let odd = format!("CHECK (site_id <> '{broken}')");
    execute(&world, &format!("ALTER TABLE directory.engagements ADD CONSTRAINT odd {odd}")).await;
    let failed = after(&world, broken, HALF_HOUR, 1).await;
    assert_eq!(told_of(&failed).1, "FAILED");
    let read = after(&world, other, TimeDelta::zero(), 1).await;
    assert_eq!(told_of(&read), ("WHOLE", "DONE", [1, 0, 0, 0]));
    world.stop().await;
}

#[tokio::test]
async fn a_row_in_another_form_keeps_no_other_from_being_read() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.contractor("示例一建", &[site]).await;
    let (mut zero, mut nameless) = (person(1), person(2));
    zero["trade"] = json!("木\u{0}工");
    nameless["name"] = Value::Null;
    world.outside.set_roster(&[zero, nameless, person(3)]);
    let read = world.sync(site).await.unwrap();
    assert_eq!((read.added, read.left_out), (2, 1));
    let trades: Vec<String> =
        world.find(site, "").await.workers.into_iter().map(|row| row.trade).collect();
    assert_eq!(trades, ["木工", "木工"]);
    world.stop().await;
}

/// Stops the directory while it waits for a page: within less than a process has for it, and than a page may take.
async fn stop_reading(world: &World) {
    world.harness.shell.tasks.stop();
    let ended = world.harness.shell.tasks.finished(Duration::from_secs(5)).await;
    assert!(ended, "a reading goes on when the service stops");
}

#[tokio::test]
async fn a_reading_ends_when_the_service_stops_and_the_next_one_is_free_to_begin() {
    let (mut world, site) = scheduled().await;
    world.outside.set_roster(&people(1..=2));
    let held = world.outside.hold_roster().await;
    let stopped = async {
        world.until_asked_for_pages(1).await;
        stop_reading(&world).await;
    };
    let (answer, ()) = tokio::join!(world.sync(site), stopped);
    let refused = answer.unwrap_err();
    assert_eq!((refused.code.number(), &refused.data["upstream"]), (50301, &json!("directory")));

    world.restart(|_| {}).await;
    let cut_off = readings(&world, site).await.readings.remove(0);
    assert_eq!(told_of(&cut_off), ("WHOLE", "FAILED", [0; 4]));
    assert!(cut_off.ended_at.is_some());
    drop(held);
    // By the system's clock, by which a reading is under way, no time has passed.
    let next = after(&world, site, HALF_HOUR, 2).await;
    assert_eq!(told_of(&next), ("WHOLE", "DONE", [2, 0, 0, 0]));
    world.stop().await;
}

#[tokio::test]
async fn a_reading_whose_time_had_come_ends_when_the_service_stops_and_its_run_has_not_failed() {
    let (mut world, site) = scheduled().await;
    world.outside.set_roster(&people(1..=2));
    let held = world.outside.hold_roster().await;
    world.harness.shell.clock.advance(HALF_HOUR);
    world.until_asked_for_pages(1).await;
    stop_reading(&world).await;
    let failed = "SELECT count(*) FROM directory.job_runs WHERE error IS NOT NULL";
    assert_eq!(world.count(failed).await, 0);

    world.restart(|_| {}).await;
    let cut_off = readings(&world, site).await.readings.remove(0);
    assert_eq!(told_of(&cut_off), ("WHOLE", "FAILED", [0; 4]));
    drop(held);
    let next = after(&world, site, TimeDelta::minutes(5), 2).await;
    assert_eq!(told_of(&next), ("WHOLE", "DONE", [2, 0, 0, 0]));
    world.stop().await;
}

#[tokio::test]
async fn a_reading_that_asks_once_more_is_under_way_for_as_long_again() {
    let (world, site) = scheduled().await;
    world.outside.set_roster(&people(1..=3));
    world.sync(site).await.unwrap();
    world.outside.set_roster(&people(1..=2));
    let held = world.outside.hold_roster().await;
    let slow = async {
        let (clock, system) = (&world.harness.shell.clock, &world.harness.shell.system);
        world.until_asked_for_pages(2).await;
        system.advance(TimeDelta::seconds(90));
        // The page that waits goes through, the next one is held again.
        drop(held);
        let held = world.outside.hold_roster().await;
        world.until_asked_for_pages(3).await;
        system.advance(TimeDelta::seconds(90));
        clock.advance(HALF_HOUR);
        test_support::eventually("a run that leaves the site alone", async || {
            let ended =
                "SELECT count(*) FROM directory.job_runs WHERE job = 'directory.read-rosters'
                 AND slot = '2026-03-02T00:30:00Z' AND finished_at IS NOT NULL";
            (world.count(ended).await > 0).then_some(())
        })
        .await;
        drop(held);
    };
    let (read, ()) = tokio::join!(world.sync(site), slow);
    assert_eq!(read.unwrap().gone, 1);
    assert_eq!(readings(&world, site).await.total, 2);
    world.stop().await;
}

#[tokio::test]
async fn a_reading_that_was_overtaken_does_not_ask_once_more() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    world.outside.set_roster(&people(1..=2));
    world.sync(site).await.unwrap();
    world.outside.set_roster(&[]);
    let held = world.outside.hold_roster().await;
    let newer = async {
        world.until_asked_for_pages(2).await;
        let let_go = async {
            world.until_asked_for_pages(3).await;
            drop(held);
        };
        tokio::join!(world.sync(site), let_go).0
    };
    let (overtaken, newer) = tokio::join!(world.sync(site), newer);
    assert_eq!((code(&overtaken), code(&newer)), (40902, 50301));
    assert_eq!(world.outside.pages(), 1 + 1 + 2);
    world.stop().await;
}
