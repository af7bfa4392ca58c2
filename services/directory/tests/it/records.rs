//! What happens to accounts and contractors is recorded where whoever audits a site looks: with that site.

use proto::directory::v1 as pb;
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
    let record = world.records("contractor.create").await.remove(0);
    assert_eq!(record.target_id, contractor.to_string());
    assert!(record.after.contains("示例一建"), "{}", record.after);

    change_contractor(&world, contractor, 1, "", Some(&[two, three])).await.unwrap();
    assert_eq!(recorded(&world, "contractor.change").await, ids(&[one, two, three]));
    world.stop().await;
}

#[tokio::test]
async fn an_account_s_record_is_found_on_each_site_it_reached_or_reaches() {
    let world = World::new().await;
    let (one, two, three) =
        (world.site("一号").await, world.site("二号").await, world.site("三号").await);
    let account = world.create_account("inspector", "Auditor", ids(&[one, two])).await;
    assert_eq!(recorded(&world, "account.create").await, ids(&[one, two]));
    let moved = pb::ChangeAccountRequest {
        account_id: account.account_id.clone(),
        version: 1,
        sites: Some(pb::SiteIds { site_ids: ids(&[two, three]) }),
        ..Default::default()
    };
    let moved = world.change_account(&world.sysadmin, moved).await.unwrap();
    assert_eq!(recorded(&world, "account.change").await, ids(&[one, two, three]));
    reset(&world, &world.sysadmin, &moved).await.unwrap();
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
