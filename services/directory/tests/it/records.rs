//! What happens to accounts and contractors is recorded where whoever audits a site looks: with that site.

use std::collections::BTreeMap;

use proto::directory::v1 as pb;
use serde_json::{Value, json};
use types::SiteId;

use crate::change_places::change_contractor;
use crate::passwords::reset;
use crate::world::World;

/// With which sites the records of this action were written.
async fn recorded(world: &World, action: &str) -> Vec<String> {
    let records = world.records(action).await;
    let mut sites: Vec<String> = records.into_iter().map(|record| record.site_id).collect();
    sites.sort();
    sites
}

/// What the record with each site says of `site_ids`, before and after. None names a site that is not its own.
async fn told_of_sites(world: &World, action: &str) -> BTreeMap<String, (Value, Value)> {
    let records = world.records(action).await;
    let sites: Vec<String> = records.iter().map(|record| record.site_id.clone()).collect();
    let told = records.into_iter().map(|record| {
        let others = sites.iter().filter(|site| **site != record.site_id);
        for other in others {
            let named = record.before.contains(other) || record.after.contains(other);
            assert!(!named, "{other} in {} and {}", record.before, record.after);
        }
        let side = |text: &str| {
            let side: Value = serde_json::from_str(text).unwrap_or_default();
            side["site_ids"].clone()
        };
        (record.site_id.clone(), (side(&record.before), side(&record.after)))
    });
    told.collect()
}

/// What is told where the first site was left, the second one stayed and the third one came.
fn moved([left, stayed, came]: [SiteId; 3]) -> BTreeMap<String, (Value, Value)> {
    BTreeMap::from([
        (left.to_string(), (json!([left.to_string()]), json!([]))),
        (stayed.to_string(), (Value::Null, Value::Null)),
        (came.to_string(), (json!([]), json!([came.to_string()]))),
    ])
}

fn made_for(sites: &[SiteId]) -> BTreeMap<String, (Value, Value)> {
    let told = |site: &SiteId| (site.to_string(), (Value::Null, json!([site.to_string()])));
    sites.iter().map(told).collect()
}

fn ids(sites: &[SiteId]) -> Vec<String> {
    let mut ids: Vec<String> = sites.iter().map(ToString::to_string).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_contractor_s_record_is_found_on_each_site_it_came_to_or_left() {
    let world = World::new().await;
    let (one, two, three) =
        (world.site("一号").await, world.site("二号").await, world.site("三号").await);
    let contractor = world.contractor("示例一建", &[one, two]).await;
    assert_eq!(recorded(&world, "contractor.create").await, ids(&[one, two]));
    assert_eq!(told_of_sites(&world, "contractor.create").await, made_for(&[one, two]));
    let record = world.records("contractor.create").await.remove(0);
    assert_eq!(record.target_id, contractor.to_string());
    assert!(record.after.contains("示例一建"), "{}", record.after);

    change_contractor(&world, contractor, 1, "", Some(&[two, three])).await.unwrap();
    assert_eq!(recorded(&world, "contractor.change").await, ids(&[one, two, three]));
    assert_eq!(told_of_sites(&world, "contractor.change").await, moved([one, two, three]));
    world.stop().await;
}

#[tokio::test]
async fn an_account_s_record_is_found_on_each_site_it_reached_or_reaches() {
    let world = World::new().await;
    let (one, two, three) =
        (world.site("一号").await, world.site("二号").await, world.site("三号").await);
    let account = world.create_account("inspector", "Auditor", ids(&[one, two])).await;
    assert_eq!(recorded(&world, "account.create").await, ids(&[one, two]));
    assert_eq!(told_of_sites(&world, "account.create").await, made_for(&[one, two]));
    let change = pb::ChangeAccountRequest {
        account_id: account.account_id.clone(),
        version: 1,
        sites: Some(pb::SiteIds { site_ids: ids(&[two, three]) }),
        ..Default::default()
    };
    let account = world.change_account(&world.sysadmin, change).await.unwrap();
    assert_eq!(recorded(&world, "account.change").await, ids(&[one, two, three]));
    assert_eq!(told_of_sites(&world, "account.change").await, moved([one, two, three]));
    reset(&world, &world.sysadmin, &account).await.unwrap();
    assert_eq!(recorded(&world, "account.reset_password").await, ids(&[two, three]));
    world.stop().await;
}

#[tokio::test]
async fn what_reaches_no_site_is_recorded_with_none_and_what_reaches_all_with_each() {
    let world = World::new().await;
    world.create_account("first", "SysAdmin", vec![]).await;
    assert_eq!(recorded(&world, "account.create").await, [""]);
    let site = world.site("一号").await;
    world.create_account("second", "SysAdmin", vec![]).await;
    assert_eq!(recorded(&world, "account.create").await, [String::new(), site.to_string()]);
    world.stop().await;
}
