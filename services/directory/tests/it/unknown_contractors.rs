//! People whom the roster names for a contractor that is none of the site's.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use auth::Caller;
use proto::directory::v1 as pb;
use serde_json::{Value, json};
use types::SiteId;

use crate::match_workers::{answered, line, outcomes};
use crate::outside::{dated, id_no, name, person, phone};
use crate::rosters::{HALF_HOUR, after, scheduled, told_of};
use crate::world::{World, code, told};

fn of(number: u32, contractor: &str) -> Value {
    let mut person = dated(person(number), "2026-03-01T08:00:00Z");
    person["contractor_name"] = json!(contractor);
    person
}

async fn found(world: &World, caller: &Caller, site: SiteId) -> Vec<pb::WorkerRow> {
    let message = pb::SearchWorkersRequest { site_id: site.to_string(), ..Default::default() };
    told(world.client.clone().search_workers(world.by(caller, message)).await).unwrap().workers
}

#[tokio::test]
async fn they_are_another_s_to_the_administrators_of_the_site_s_contractors() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let own = world.contractor("示例一建", &[site]).await;
    world.outside.set_roster(&[person(1), of(2, "从未听说"), of(3, " ")]);
    let reading = world.sync(site).await.unwrap().reading_id;
    let caller = world.harness.contractor_admin(site, own);
    let theirs = [name(1), name(3)];

    let names = |rows: Vec<pb::WorkerRow>| -> Vec<String> {
        rows.into_iter().map(|row| row.name).collect()
    };
    assert_eq!(names(found(&world, &caller, site).await), theirs);
    let message = pb::ExportWorkersRequest { site_id: site.to_string(), ..Default::default() };
    let export = told(world.client.clone().export_workers(world.by(&caller, message)).await);
    assert_eq!(names(export.unwrap().workers), theirs);
    let message = pb::ListRosterChangesRequest { reading_id: reading, ..Default::default() };
    let changes = told(world.client.clone().list_roster_changes(world.by(&caller, message)).await);
    assert_eq!(changes.unwrap().total, 2);

    let lines = || (1..=3).map(|number| line("", &id_no(number), "")).collect::<Vec<_>>();
    let answer = answered(&world, &caller, site, None, lines()).await.unwrap();
    let fits = ("FOUND", "");
    assert_eq!(outcomes(&answer.matches), [fits, ("NOT_FOUND", "id_no"), fits]);
    let answer = answered(&world, &world.sysadmin, site, Some(own), lines()).await.unwrap();
    assert_eq!(outcomes(&answer.matches), [fits, ("OTHER_CONTRACTOR", "id_no"), fits]);

    let all = found(&world, &world.sysadmin, site).await;
    let unknown: Vec<bool> = all.iter().map(|row| row.contractor_unknown).collect();
    assert_eq!(unknown, [false, true, false], "who sees everybody is told");
    let worker_id = all[1].worker_id.clone();
    let message = pb::GetWorkerRequest { worker_id: worker_id.clone() };
    let shown = told(world.client.clone().get_worker(world.by(&caller, message)).await);
    assert_eq!(code(&shown), 40400);
    let message = pb::CheckReferencesRequest {
        site_id: site.to_string(),
        worker_ids: vec![worker_id.clone()],
        ..Default::default()
    };
    let checked = told(world.client.clone().check_references(world.by(&caller, message)).await);
    assert_eq!(checked.unwrap().unknown_worker_ids, [worker_id]);
    world.stop().await;
}

#[tokio::test]
async fn a_contractor_that_is_made_renamed_or_put_on_the_site_finds_its_people_at_the_next_reading()
{
    let (world, site) = scheduled().await;
    let elsewhere = world.site("二号工地").await;
    world.outside.set_roster(&[of(1, "示例二建"), of(2, "示例三建"), of(3, "示例四建")]);
    after(&world, site, HALF_HOUR, 1).await;
    let changes = after(&world, site, HALF_HOUR, 2).await;
    assert_eq!(told_of(&changes).0, "CHANGES");
    let employers = async || {
        let all = found(&world, &world.sysadmin, site).await;
        all.into_iter().map(|row| row.contractor_id).collect::<Vec<_>>()
    };
    assert_eq!(employers().await, ["", "", ""]);

    let made = world.contractor("示例二建", &[site]).await.to_string();
    assert_eq!(told_of(&after(&world, site, HALF_HOUR, 3).await).0, "WHOLE");
    assert_eq!(employers().await, [made.as_str(), "", ""]);

    let renamed = world.contractor("别名", &[site]).await;
    after(&world, site, HALF_HOUR, 4).await;
    let put = world.contractor("示例四建", &[elsewhere]).await;
    assert_eq!(told_of(&after(&world, site, HALF_HOUR, 5).await).0, "CHANGES", "of the other site");
    for change in [
        pb::ChangeContractorRequest {
            contractor_id: renamed.to_string(),
            name: "示例三建".to_owned(),
            ..Default::default()
        },
        pb::ChangeContractorRequest {
            contractor_id: put.to_string(),
            sites: Some(pb::SiteIds { site_ids: vec![site.to_string(), elsewhere.to_string()] }),
            ..Default::default()
        },
    ] {
        let message = pb::ChangeContractorRequest { version: 1, ..change };
        told(world.client.clone().change_contractor(world.by(&world.sysadmin, message)).await)
            .unwrap();
    }
    assert_eq!(told_of(&after(&world, site, HALF_HOUR, 6).await).0, "WHOLE");
    assert_eq!(employers().await, [made, renamed.to_string(), put.to_string()]);
    assert_eq!(told_of(&after(&world, site, HALF_HOUR, 7).await).0, "CHANGES", "and then no more");
    world.stop().await;
}

#[tokio::test]
async fn a_contractor_made_while_the_roster_is_read_is_not_overlooked() {
    let (world, site) = scheduled().await;
    world.outside.set_roster(&[of(1, "示例二建")]);
    let held = world.outside.hold_roster().await;
    let meanwhile = async {
        test_support::eventually("a reading", async || {
            let begun = world.count("SELECT count(*) FROM directory.roster_readings").await;
            (begun == 1).then_some(())
        })
        .await;
        let made = world.contractor("示例二建", &[site]).await;
        drop(held);
        made
    };
    let (read, made) = tokio::join!(world.sync(site), meanwhile);
    assert_eq!(read.unwrap().added, 1);
    assert!(world.find(site, &phone(1)).await.workers[0].contractor_unknown);
    assert_eq!(told_of(&after(&world, site, HALF_HOUR, 2).await).0, "WHOLE");
    let row = world.find(site, &phone(1)).await.workers.remove(0);
    assert_eq!((row.contractor_id, row.contractor_unknown), (made.to_string(), false));
    world.stop().await;
}
