use proto::directory::v1 as pb;
use serde_json::json;
use types::{AreaId, WorkerId};

use crate::outside::{person, phone};
use crate::world::{World, code, told};

#[tokio::test]
async fn every_id_that_is_not_of_the_site_is_named() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let own = world.contractor("示例一建", &[site]).await;
    let other = world.contractor("示例二建", &[site]).await;
    let mut others = person(2);
    others["contractor_name"] = json!("示例二建");
    world.outside.set_roster(&[person(1), others, person(3)]);
    world.sync(site).await.unwrap();
    let mut workers = Vec::new();
    for number in 1..=3 {
        workers.push(world.find(site, &phone(number)).await.workers[0].worker_id.clone());
    }
    world.outside.set_roster(&[person(1), person(2)]);
    world.sync(site).await.unwrap();
    world.bind("a", 1).await.unwrap();
    let area = pb::CreateAreaRequest {
        site_id: site.to_string(),
        name: "基坑".to_owned(),
        access_group_id: "group-1".to_owned(),
        ..Default::default()
    };
    let area = world.client.clone().create_area(world.by(&world.sysadmin, area)).await.unwrap();
    let area = area.into_inner().area.unwrap();

    let (nowhere, nobody) = (AreaId::new().to_string(), WorkerId::new().to_string());
    let message = pb::CheckReferencesRequest {
        site_id: site.to_string(),
        contractor_id: own.to_string(),
        area_ids: vec![area.area_id.clone(), nowhere.clone()],
        worker_ids: [workers.clone(), vec![nobody.clone()]].concat(),
    };
    let request = world.harness.shell.as_service("ticket", message.clone());
    let checked = told(world.client.clone().check_references(request).await).unwrap();
    assert!(checked.contractor_on_site);
    assert_eq!((checked.areas, checked.unknown_area_ids), (vec![area], vec![nowhere]));
    assert_eq!(checked.unknown_worker_ids, [workers[2].clone(), nobody], "who left is unknown too");
    let synced_at = proto::instant(checked.roster_synced_at.as_ref());
    assert_eq!(synced_at, Some(world.harness.now()), "how old the roster is can be said");
    assert_eq!(checked.unbound_worker_ids, [workers[1].clone()]);

    let message = pb::CheckReferencesRequest { worker_ids: workers, ..message };
    let caller = world.harness.contractor_admin(site, other);
    let checked =
        told(world.client.clone().check_references(world.by(&caller, message.clone())).await)
            .unwrap();
    assert!(!checked.contractor_on_site, "another contractor is none of theirs");
    let elsewhere = world.site("二号工地").await;
    let caller = world.harness.contractor_admin(elsewhere, other);
    assert_eq!(
        code(&told(world.client.clone().check_references(world.by(&caller, message)).await)),
        40400
    );
    world.stop().await;
}

#[tokio::test]
async fn to_a_contractors_administrator_other_contractors_people_are_unknown() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=1).await;
    let other = world.contractor("示例二建", &[site]).await;
    let message = pb::CheckReferencesRequest {
        site_id: site.to_string(),
        contractor_id: other.to_string(),
        area_ids: vec![],
        worker_ids: workers.clone(),
    };
    let caller = world.harness.contractor_admin(site, other);
    let checked =
        told(world.client.clone().check_references(world.by(&caller, message)).await).unwrap();
    assert!(checked.contractor_on_site);
    assert_eq!(checked.unknown_worker_ids, workers);
    world.stop().await;
}

#[tokio::test]
async fn whose_engagement_ends_is_told_with_their_last_day() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let own = world.contractor("示例一建", &[site]).await;
    let mut leaving = person(1);
    leaving["exit_date"] = json!("2026-03-31");
    world.outside.set_roster(&[leaving.clone(), person(2)]);
    world.sync(site).await.unwrap();
    let worker = world.find(site, &phone(1)).await.workers[0].worker_id.clone();
    let staying = world.find(site, &phone(2)).await.workers[0].worker_id.clone();
    let check = async || {
        let message = pb::CheckReferencesRequest {
            site_id: site.to_string(),
            contractor_id: own.to_string(),
            area_ids: vec![],
            worker_ids: vec![worker.clone(), staying.clone()],
        };
        let request = world.harness.shell.as_service("ticket", message);
        told(world.client.clone().check_references(request).await).unwrap().ending_workers
    };
    let spells = async || {
        let message = pb::GetWorkerRequest { worker_id: worker.clone() };
        let request = world.by(&world.sysadmin, message);
        let spells = told(world.client.clone().get_worker(request).await).unwrap().engagements;
        spells.into_iter().map(|spell| spell.until).collect::<Vec<_>>()
    };
    let until = "2026-03-31".to_owned();
    let ending = pb::EndingWorker { worker_id: worker.clone(), until: until.clone() };
    assert_eq!((check().await, spells().await), (vec![ending], vec![until]));

    leaving["exit_date"] = json!(null);
    world.outside.set_roster(&[leaving, person(2)]);
    assert_eq!(world.sync(site).await.unwrap().changed, 1, "they stay after all");
    assert_eq!((check().await, spells().await), (vec![], vec![String::new()]), "one spell still");
    world.stop().await;
}
