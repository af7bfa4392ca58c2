use auth::Caller;
use proto::common::v1::PageRequest;
use proto::directory::v1 as pb;
use serde_json::json;
use service::Refusal;
use types::{AccountId, ContractorId, Role, SiteId};

use crate::outside::{id_no, name, person, phone};
use crate::world::{World, bad_fields, code, told};

async fn search(
    world: &World,
    caller: &Caller,
    message: pb::SearchWorkersRequest,
) -> Result<pb::SearchWorkersResponse, Refusal> {
    told(world.client.clone().search_workers(world.by(caller, message)).await)
}

fn on(site: SiteId) -> pb::SearchWorkersRequest {
    pb::SearchWorkersRequest { site_id: site.to_string(), ..Default::default() }
}

fn names(found: &pb::SearchWorkersResponse) -> Vec<&str> {
    found.workers.iter().map(|row| row.name.as_str()).collect()
}

#[tokio::test]
async fn numbers_are_masked_and_only_whole_ones_are_found() {
    let world = World::new().await;
    let (site, _) = world.staffed(1..=3).await;
    let by_id_no = world.find(site, &id_no(2).to_lowercase()).await;
    assert_eq!(names(&by_id_no), [name(2)]);
    let row = &by_id_no.workers[0];
    assert_eq!(row.phone_masked, "199****0002");
    assert_eq!(row.id_no_masked, format!("659***********{}", &id_no(2)[14..]));
    for whole in [name(2), phone(2), format!("+86 {}", phone(2))] {
        assert_eq!(names(&world.find(site, &whole).await), [name(2)], "{whole}");
    }
    for part in ["测试", "1990000", "659999", "0002"] {
        assert_eq!(world.find(site, part).await.total, 0, "{part}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_contractors_administrator_finds_their_own_and_those_of_none() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let own = world.contractor("示例一建", &[site]).await;
    let other = world.contractor("示例二建", &[site]).await;
    let (mut others, mut nobodys) = (person(2), person(3));
    others["contractor_name"] = json!("示例二建");
    nobodys["contractor_name"] = json!("");
    world.outside.set_roster(&[person(1), others, nobodys]);
    world.sync(site).await.unwrap();

    let caller = world.harness.contractor_admin(site, own);
    assert_eq!(names(&search(&world, &caller, on(site)).await.unwrap()), [name(1), name(3)]);
    let keyword = phone(2);
    let found =
        search(&world, &caller, pb::SearchWorkersRequest { keyword, ..on(site) }).await.unwrap();
    assert_eq!((found.total, found.workers.len()), (0, 0));
    let of = |contractor: ContractorId| pb::SearchWorkersRequest {
        contractor_id: contractor.to_string(),
        ..on(site)
    };
    assert_eq!(names(&search(&world, &caller, of(own)).await.unwrap()), [name(1)]);
    assert_eq!(code(&search(&world, &caller, of(other)).await), 40400);
    assert_eq!(names(&search(&world, &world.sysadmin, of(other)).await.unwrap()), [name(2)]);

    let elsewhere = world.site("二号工地").await;
    assert_eq!(code(&search(&world, &caller, on(elsewhere)).await), 40400);
    world.stop().await;
}

#[tokio::test]
async fn who_has_left_the_site_is_found_where_they_are_asked_for_and_by_nobody_else() {
    let world = World::new().await;
    let site = world.site("一号工地").await;
    let own = world.contractor("示例一建", &[site]).await;
    let other = world.contractor("示例二建", &[site]).await;
    world.outside.set_roster(&[person(1), person(2), person(3)]);
    world.sync(site).await.unwrap();
    world.outside.set_roster(&[person(1)]);
    world.sync(site).await.unwrap();
    let too =
        |keyword: String| pb::SearchWorkersRequest { keyword, departed_too: true, ..on(site) };
    let auditor = Caller::account(AccountId::new(), Role::Auditor, vec![site], None);
    for whole in [name(2), phone(2), id_no(2)] {
        let found = search(&world, &auditor, too(whole.clone())).await.unwrap();
        assert_eq!((found.total, names(&found)), (1, vec![name(2).as_str()]));
        assert_eq!(world.find(site, &whole).await.total, 0);
    }
    let mine = world.harness.contractor_admin(site, own);
    assert_eq!(search(&world, &mine, too(String::new())).await.unwrap().total, 3);
    let theirs = world.harness.contractor_admin(site, other);
    assert_eq!(search(&world, &theirs, too(name(2))).await.unwrap().total, 0);
    world.stop().await;
}

/// To their administrator somebody is where they work for the contractor, wherever else they work.
#[tokio::test]
async fn who_works_for_two_contractors_is_shown_to_each_with_their_own_engagement() {
    let world = World::new().await;
    let (one, two) = (world.site("一号工地").await, world.site("二号工地").await);
    let first = world.contractor("示例一建", &[one, two]).await;
    let second = world.contractor("示例二建", &[one, two]).await;
    world.outside.set_roster(&[person(1)]);
    world.sync(one).await.unwrap();
    world.harness.shell.clock.advance(chrono::TimeDelta::hours(1));
    let mut lent = person(1);
    lent["contractor_name"] = json!("示例二建");
    world.outside.set_roster(&[lent]);
    world.sync(two).await.unwrap();
    let worker_id = world.find(one, &phone(1)).await.workers[0].worker_id.clone();

    for (contractor, site) in [(first, one), (second, two)] {
        let (role, sites) = (Role::ContractorAdmin, vec![one, two]);
        let caller = Caller::account(AccountId::new(), role, sites, Some(contractor));
        let message = pb::GetWorkerRequest { worker_id: worker_id.clone() };
        let shown =
            told(world.client.clone().get_worker(world.by(&caller, message)).await).unwrap();
        assert_eq!(shown.worker.unwrap().contractor_id, contractor.to_string());
        let [spell] = shown.engagements.as_slice() else { panic!("{:?}", shown.engagements) };
        assert_eq!(spell.site_id, site.to_string());
        let synced_at = proto::instant(spell.roster_synced_at.as_ref()).unwrap();
        assert_eq!(synced_at == world.harness.now(), site == two, "as old as the site's roster");
    }
    world.stop().await;
}

#[tokio::test]
async fn pages_and_the_bound_filter_count_right() {
    let world = World::new().await;
    let (site, _) = world.staffed(1..=5).await;
    world.bind("a", 2).await.unwrap();
    let bound = |bound: &str| pb::SearchWorkersRequest { bound: bound.to_owned(), ..on(site) };
    let found = search(&world, &world.sysadmin, bound("true")).await.unwrap();
    assert_eq!((found.total, names(&found)), (1, vec![name(2).as_str()]));
    assert_eq!(search(&world, &world.sysadmin, bound("false")).await.unwrap().total, 4);

    let page = |page, page_size| pb::SearchWorkersRequest {
        page: Some(PageRequest { page, page_size }),
        ..on(site)
    };
    let last = search(&world, &world.sysadmin, page(3, 2)).await.unwrap();
    assert_eq!((last.total, names(&last)), (5, vec![name(5).as_str()]));
    let beyond = search(&world, &world.sysadmin, page(4, 2)).await.unwrap();
    assert_eq!((beyond.total, beyond.workers.len()), (5, 0));
    let bad = pb::SearchWorkersRequest { bound: "maybe".to_owned(), ..page(1, 201) };
    assert_eq!(bad_fields(search(&world, &world.sysadmin, bad).await), ["bound", "page_size"]);
    world.stop().await;
}

#[tokio::test]
async fn names_are_given_for_ones_own_sites_also_of_people_who_left() {
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=2).await;
    world.outside.set_roster(&[person(1)]);
    world.sync(site).await.unwrap();
    let elsewhere = world.site("二号工地").await;
    let contractor = world.contractor("示例二建", &[elsewhere]).await;

    let ask = async |caller: &Caller| {
        let message = pb::NameWorkersRequest { worker_ids: workers.clone() };
        told(world.client.clone().name_workers(world.by(caller, message)).await).unwrap().workers
    };
    let known = ask(&world.harness.contractor_admin(site, contractor)).await;
    let known: Vec<&str> = known.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(known, [name(1), name(2)]);
    assert!(ask(&world.harness.contractor_admin(elsewhere, contractor)).await.is_empty());
    world.stop().await;
}
